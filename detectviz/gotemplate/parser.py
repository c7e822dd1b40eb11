"""Tokens to a tree, as Go's text/template/parse reads them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from detectviz.gotemplate import nodes
from detectviz.gotemplate.errors import TemplateSyntaxError
from detectviz.gotemplate.lexer import Token, TokenKind, tokens
from detectviz.gotemplate.limits import NESTING, SOURCE_BYTES
from detectviz.gotemplate.literals import number, unquote

_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "nil": None}
_MOST_VARIABLES = 2
_MOST_OPERANDS = 100
_RANGE_ENDS = ("end", "else")
_KEYWORDS = frozenset(
    {"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A template's own nodes and those it defines by name."""

    root: tuple[nodes.Node, ...]
    defined: Mapping[str, tuple[nodes.Node, ...]]


def parse(source: str, *, functions: Collection[str], variables: Collection[str] = ()) -> Parsed:
    """Return the tree of a template.

    ``functions`` and ``variables`` (without ``$``) are the names it may use. Raise
    TemplateSyntaxError with the place of what can't be read.
    """
    if len(source.encode(errors="surrogatepass")) > SOURCE_BYTES:
        raise TemplateSyntaxError(f"template is longer than {SOURCE_BYTES} bytes")
    parser = _Parser(items=list(tokens(source)), functions=functions)
    parser.scope = ["$", *(f"${name}" for name in variables)]
    root, _ = parser.body(())
    return Parsed(root=root, defined=parser.defined)


@dataclass(slots=True)
class _Parser:
    items: list[Token]
    functions: Collection[str]
    position: int = 0
    scope: list[str] = field(default_factory=list)
    defined: dict[str, tuple[nodes.Node, ...]] = field(default_factory=dict)
    depth: int = 0
    loops: int = 0

    # --- reading tokens
    def peek(self) -> Token:
        return self.items[self.position]

    def take(self) -> Token:
        token = self.items[self.position]
        if token.kind is not TokenKind.END:
            self.position += 1
        return token

    def skip_space(self) -> Token:
        while self.peek().kind is TokenKind.SPACE:
            self.position += 1
        return self.peek()

    def expect(self, kind: TokenKind, where: str) -> Token:
        token = self.skip_space()
        if token.kind is not kind:
            self.fail(f"unexpected {self.shown(token)} in {where}", token)
        return self.take()

    def shown(self, token: Token) -> str:
        return "end of template" if token.kind is TokenKind.END else f'"{token.text}"'

    def fail(self, message: str, token: Token) -> NoReturn:
        raise self.failure(message, token)

    def failure(self, message: str, token: Token) -> TemplateSyntaxError:
        place = token.place
        return TemplateSyntaxError(message, line=place.line, column=place.column)

    def deeper(self, token: Token) -> None:
        self.depth += 1
        if self.depth > NESTING:
            self.fail(f"nested more than {NESTING} deep", token)

    # --- bodies and keywords
    def body(self, ends: Collection[str]) -> tuple[tuple[nodes.Node, ...], str]:
        """Return nodes up to one of the keywords ``ends`` (or the template's end) and which."""
        found: list[nodes.Node] = []
        while True:
            token = self.take()
            if token.kind is TokenKind.END:
                if ends:
                    self.fail("unexpected end of template: an {{end}} is missing", token)
                return tuple(found), ""
            if token.kind is TokenKind.TEXT:
                found.append(nodes.Text(text=token.text, place=token.place))
                continue
            word = self.skip_space()
            if word.kind is TokenKind.NAME and word.text in _KEYWORDS:
                self.take()
                if word.text in ends:
                    return tuple(found), word.text
                found.extend(self.keyword(word))
            else:
                found.append(self.action(token))

    def action(self, token: Token) -> nodes.Node:
        pipeline = self.pipeline("command", TokenKind.CLOSE)
        return nodes.Action(pipeline=pipeline, place=token.place)

    def keyword(self, word: Token) -> list[nodes.Node]:
        match word.text:
            case "if" | "with":
                return [self.branch(word)]
            case "range":
                return [self.range(word)]
            case "break" | "continue":
                if not self.loops:
                    self.fail(f"{{{{{word.text}}}}} outside {{{{range}}}}", word)
                self.expect(TokenKind.CLOSE, word.text)
                return [nodes.Jump(is_break=word.text == "break", place=word.place)]
            case "template":
                return [self.invocation(word)]
            case "define":
                self.define(word)
                return []
            case "block":
                return [self.block(word)]
            case _:
                raise self.failure(f"unexpected {{{{{word.text}}}}}", word)

    def branch(self, word: Token) -> nodes.Node:
        self.deeper(word)
        mark = len(self.scope)
        pipeline = self.pipeline(word.text, TokenKind.CLOSE)
        body, end = self.body(("end", "else"))
        otherwise = self.otherwise(word.text) if end == "else" else ()
        if end == "end":
            self.expect(TokenKind.CLOSE, "end")
        del self.scope[mark:]
        self.depth -= 1
        return nodes.Branch(
            pipeline=pipeline,
            body=body,
            otherwise=otherwise,
            moves_dot=word.text == "with",
            place=word.place,
        )

    def otherwise(self, opened_by: str) -> tuple[nodes.Node, ...]:
        """Return what follows ``else``; ``else if`` shares the outer ``end``."""
        token = self.skip_space()
        if token.kind is TokenKind.NAME and token.text == opened_by != "range":
            self.take()
            return (self.branch(token),)
        self.expect(TokenKind.CLOSE, "else")
        nodes_, _ = self.body(("end",))
        self.expect(TokenKind.CLOSE, "end")
        return nodes_

    def range(self, word: Token) -> nodes.Node:
        self.deeper(word)
        mark = len(self.scope)
        pipeline = self.pipeline("range", TokenKind.CLOSE)
        self.loops += 1
        body, end = self.body(_RANGE_ENDS)
        self.loops -= 1
        otherwise = self.otherwise("range") if end == "else" else ()
        if end == "end":
            self.expect(TokenKind.CLOSE, "end")
        del self.scope[mark:]
        self.depth -= 1
        return nodes.Range(pipeline=pipeline, body=body, otherwise=otherwise, place=word.place)

    def template_name(self, where: str) -> str:
        token = self.expect(TokenKind.STRING, f"{where} clause")
        return self.text(token)

    def invocation(self, word: Token) -> nodes.Node:
        name = self.template_name("template")
        pipeline = None
        if self.skip_space().kind is TokenKind.CLOSE:
            self.take()
        else:
            pipeline = self.pipeline("template", TokenKind.CLOSE)
        return nodes.Invocation(name=name, pipeline=pipeline, place=word.place)

    def define(self, word: Token) -> None:
        if self.depth:
            self.fail("unexpected {{define}}", word)
        name = self.template_name("define")
        self.expect(TokenKind.CLOSE, "define")
        self.defined[name] = self.definition(word)

    def definition(self, word: Token) -> tuple[nodes.Node, ...]:
        outer_scope, outer_loops = self.scope, self.loops
        self.scope, self.loops = ["$"], 0
        self.deeper(word)
        body, _ = self.body(("end",))
        self.expect(TokenKind.CLOSE, "end")
        self.depth -= 1
        self.scope, self.loops = outer_scope, outer_loops
        return body

    def block(self, word: Token) -> nodes.Node:
        name = self.template_name("block")
        pipeline = self.pipeline("block", TokenKind.CLOSE)
        self.defined.setdefault(name, self.definition(word))
        return nodes.Invocation(name=name, pipeline=pipeline, place=word.place)

    # --- pipelines
    def pipeline(self, where: str, end: TokenKind) -> nodes.Pipeline:
        start = self.skip_space()
        variables, is_assignment = self.declaration(where)
        commands: list[nodes.Command] = []
        while True:
            token = self.skip_space()
            if token.kind is end and not commands:
                self.fail(f"missing value for {where}", token)
            commands.append(self.command(where, end, is_first=not commands))
            if self.take().kind is end:
                break
            if self.skip_space().kind is end:
                self.fail(f"missing value after | in {where}", self.peek())
        if not is_assignment:
            self.scope.extend(variables)
        return nodes.Pipeline(
            commands=tuple(commands),
            variables=variables,
            is_assignment=is_assignment,
            place=start.place,
        )

    def declaration(self, where: str) -> tuple[tuple[str, ...], bool]:
        """Read ``$a :=``, ``$a =`` or, in a range, ``$i, $e :=``; back up if it is none."""
        mark, names = self.position, []
        while self.skip_space().kind is TokenKind.VARIABLE:
            names.append(self.take())
            separator = self.skip_space()
            if separator.kind in {TokenKind.DECLARE, TokenKind.ASSIGN}:
                self.take()
                is_assignment = separator.kind is TokenKind.ASSIGN
                for name in names if is_assignment else ():
                    self.known(name)
                return tuple(name.text for name in names), is_assignment
            is_more = separator.kind is TokenKind.COMMA and where == "range"
            if not is_more or len(names) == _MOST_VARIABLES:
                break
            self.take()
        self.position = mark
        return (), False

    def command(self, where: str, end: TokenKind, *, is_first: bool) -> nodes.Command:
        place, operands = self.peek().place, []
        while self.skip_space().kind not in {end, TokenKind.PIPE}:
            operands.append(self.operand(where))
            if len(operands) > _MOST_OPERANDS:
                self.fail(f"more than {_MOST_OPERANDS} arguments", self.peek())
            after = self.peek()
            if after.kind not in {TokenKind.SPACE, TokenKind.PIPE, end}:
                self.fail(f"unexpected {self.shown(after)} in operand", after)
        if not operands:
            self.fail(f"missing value in {where}", self.peek())
        if not is_first and not isinstance(operands[0], nodes.Function | nodes.Chain):
            self.fail("non executable command in pipeline", self.peek())
        return nodes.Command(operands=tuple(operands), place=place)

    def operand(self, where: str) -> nodes.Operand:
        token = self.take()
        base = self.term(token, where)
        fields = []
        if token.kind is TokenKind.FIELD:
            fields.append(token.text[1:])
        while self.peek().kind is TokenKind.FIELD:
            fields.append(self.take().text[1:])
        if not fields:
            return base
        if isinstance(base, nodes.Literal):
            self.fail(f"unexpected . after term {token.text}", token)
        return nodes.Chain(base=base, fields=tuple(fields), place=token.place)

    def term(self, token: Token, where: str) -> nodes.Operand:
        match token.kind:
            case TokenKind.FIELD | TokenKind.DOT:
                return nodes.Dot(place=token.place)
            case TokenKind.VARIABLE:
                return self.known(token)
            case TokenKind.STRING | TokenKind.CHARACTER | TokenKind.NUMBER:
                return nodes.Literal(value=self.constant(token), place=token.place)
            case TokenKind.NAME if token.text in _CONSTANTS:
                return nodes.Literal(value=_CONSTANTS[token.text], place=token.place)
            case TokenKind.NAME if token.text in self.functions:
                return nodes.Function(name=token.text, place=token.place)
            case TokenKind.NAME:
                raise self.failure(f'function "{token.text}" not defined', token)
            case TokenKind.LEFT:
                self.deeper(token)
                inner = self.pipeline("parenthesized pipeline", TokenKind.RIGHT)
                self.depth -= 1
                return inner
            case _:
                raise self.failure(f"unexpected {self.shown(token)} in {where}", token)

    def known(self, token: Token) -> nodes.Variable:
        if token.text not in self.scope:
            self.fail(f'undefined variable "{token.text}"', token)
        return nodes.Variable(name=token.text, place=token.place)

    def constant(self, token: Token) -> str | int | float:
        try:
            if token.kind is TokenKind.NUMBER:
                return number(token.text)
            if token.kind is TokenKind.CHARACTER:
                return ord(self.text(token))
            return self.text(token)
        except (ValueError, TypeError):
            self.fail(f"bad literal {token.text}", token)

    def text(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError:
            self.fail(f"bad escape in {token.text}", token)
