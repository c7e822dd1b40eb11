"""Token buckets in the cache: one for each client address, one for each organisation.

A bucket is one number, the moment its debt is paid off (GCRA, the "virtual scheduling" form of the
leaky bucket of ITU-T I.371), moved on in one step by each request, so that processes agree.
"""

import math
from dataclasses import dataclass

from detectviz.contracts.middleware import Answer, MiddlewareContext, RequestView, Verdict

TOO_MANY = 429
_MICROSECONDS = 1_000_000


class RateLimitMiddleware:
    """Refuses clients and organisations that ask more than their share, and says until when."""

    def handle(self, request: RequestView, context: MiddlewareContext) -> Verdict:
        """Take a token of each bucket the request draws from."""
        config = context.config
        if config["api_only"] and not request.is_api:
            return Verdict()
        buckets = [
            ("client", request.address, "client_per_s", "client_burst"),
            ("organisation", request.org, "org_per_s", "org_burst"),
        ]
        for what, who, rate, burst in buckets:
            per_s = float(str(config[rate]))
            if not who or not per_s:
                continue
            bucket = _Bucket(f"{what}:{who}", per_s, int(str(config[burst])))
            wait_s = _take(bucket, context)
            if wait_s > 0:
                return _refusal(what, wait_s)
        return Verdict()


@dataclass(frozen=True, slots=True)
class _Bucket:
    key: str
    per_s: float
    burst: int


def _take(bucket: _Bucket, context: MiddlewareContext) -> float:
    """Take a token; return 0, or in how many seconds there will be one."""
    cost = max(round(_MICROSECONDS / bucket.per_s), 1)
    now = round(context.now_s() * _MICROSECONDS)
    lives_s = cost * bucket.burst / _MICROSECONDS + 1
    paid_at = context.cache.incr(bucket.key, cost, ttl_s=lives_s)
    if paid_at < now + cost:  # new, or idle for longer than it owed: the bucket is full
        full = now + cost
        context.cache.set({bucket.key: str(full).encode()}, ttl_s=lives_s)
        return 0.0
    over = paid_at - (now + cost * bucket.burst)
    if over <= 0:
        return 0.0
    context.cache.incr(bucket.key, -cost, ttl_s=lives_s)  # who is refused pays nothing
    return over / _MICROSECONDS


def _refusal(what: str, wait_s: float) -> Verdict:
    seconds = max(math.ceil(wait_s), 1)
    return Verdict(
        answer=Answer(
            status=TOO_MANY,
            message=f"Too many requests of this {what}; try again in {seconds} s.",
        ),
        headers={"Retry-After": str(seconds)},
    )
