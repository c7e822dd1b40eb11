// The editor of expressions and documents: CodeMirror 6 with PromQL, YAML and JSON.
// Built into static/vendor/editor.min.js (README.md beside this file); used by static/js/editor.js.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { linter, lintKeymap } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import {
  EditorView, drawSelection, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers, placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";

// Colours come from the page's style sheet, so that themes need no second copy of them.
const highlighting = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier], class: "dv-code-keyword" },
  { tag: [tags.function(tags.variableName), tags.operatorKeyword], class: "dv-code-function" },
  { tag: [tags.string, tags.special(tags.string)], class: "dv-code-string" },
  { tag: [tags.number, tags.bool, tags.null], class: "dv-code-number" },
  { tag: [tags.labelName, tags.propertyName, tags.definition(tags.propertyName)], class: "dv-code-label" },
  { tag: tags.comment, class: "dv-code-comment" },
  { tag: tags.invalid, class: "dv-code-invalid" },
]);

const common = ({ nonce, label, hint, onChange }) => [
  nonce ? EditorView.cspNonce.of(nonce) : [],
  EditorView.contentAttributes.of({ "aria-label": label }),
  EditorView.updateListener.of((update) => update.docChanged && onChange?.(update.state.doc.toString())),
  EditorView.lineWrapping,
  highlightSpecialChars(),
  history(),
  drawSelection(),
  bracketMatching(),
  closeBrackets(),
  syntaxHighlighting(highlighting),
  hint ? placeholder(hint) : [],
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
];

const submitKeys = (onSubmit) =>
  Prec.highest(keymap.of([
    { key: "Mod-Enter", run: () => (onSubmit?.(), true) },
    { key: "Shift-Enter", run: () => (onSubmit?.(), true) },
  ]));

const open = (parent, text, extensions) =>
  new EditorView({ parent, state: EditorState.create({ doc: text, extensions }) });

// promql(parent, {text, url, nonce, label, hint, onChange, onSubmit}): completion asks `url`/api/v1/….
export function promql(parent, options) {
  const language = new PromQLExtension().setComplete({
    remote: { url: options.url, httpMethod: "GET", cache: { maxAge: 60_000 } },
  });
  return open(parent, options.text ?? "", [
    submitKeys(options.onSubmit), autocompletion(), language.asExtension(), ...common(options),
  ]);
}

// yamlEditor and jsonEditor(parent, {text, nonce, label, onChange, onSubmit}).
export function yamlEditor(parent, options) {
  return open(parent, options.text ?? "", [
    submitKeys(options.onSubmit), lineNumbers(), highlightActiveLine(), yaml(), ...common(options),
  ]);
}

export function jsonEditor(parent, options) {
  return open(parent, options.text ?? "", [
    submitKeys(options.onSubmit), lineNumbers(), highlightActiveLine(), json(), linter(jsonParseLinter()),
    ...common(options),
  ]);
}

export function setText(view, text) {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
