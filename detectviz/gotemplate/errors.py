"""What can go wrong with a template, and where."""


class TemplateError(Exception):
    """A template can't be read or carried out; ``line`` and ``column`` count from one.

    ``template`` is the definition (``{{ define "name" }}``) it happened in, empty outside of any.
    """

    def __init__(self, message: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.template = ""
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """Return ``line:column: message``, or the message where no place is known."""
        return f"{self.line}:{self.column}: {self.message}" if self.line else self.message


class TemplateSyntaxError(TemplateError):
    """The text is no template of the subset."""


class TemplateExecutionError(TemplateError):
    """The template is well formed and can't be carried out over this data."""


class TemplateLimitError(TemplateExecutionError):
    """The template wants more output, steps, depth or time than it may have."""


class FunctionError(Exception):
    """A function refuses its arguments; the evaluator adds the place."""
