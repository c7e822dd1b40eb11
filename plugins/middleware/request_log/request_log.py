"""One line of the log for each answer; addresses of people and query strings stay out."""

from detectviz.contracts.middleware import AnswerView, MiddlewareContext, RequestView, Verdict

SERVER_ERROR = 500


class RequestLogMiddleware:
    """Lets everything pass and takes note."""

    def handle(self, request: RequestView, context: MiddlewareContext) -> Verdict:
        """Let it pass."""
        return Verdict()

    def observe(self, request: RequestView, answer: AnswerView, context: MiddlewareContext) -> None:
        """Write the line."""
        slow_s = float(str(context.config["slower_than_s"]))
        if answer.status < SERVER_ERROR and answer.duration_s < slow_s:
            return
        context.logger.info(
            "%s %s %d %.1f ms %s bytes org=%s user=%s address=%s",
            request.method,
            request.path,
            answer.status,
            answer.duration_s * 1000,
            "-" if answer.bytes is None else answer.bytes,
            request.org or "-",
            "-" if request.user_id is None else request.user_id,
            request.address if context.config["addresses"] else "-",
        )
