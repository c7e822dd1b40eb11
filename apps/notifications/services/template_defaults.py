"""Templates that are always there, under the names Alertmanager's users refer to.

The words are ours; what each is for is Alertmanager's. An organisation's own definition of the
same name takes its place.
"""

from collections.abc import Iterator

_SHARED = """
{{ define "__alertmanager" }}Detectviz{{ end }}
{{ define "__alertmanagerURL" }}{{ .URL }}{{ end }}
{{ define "__subject" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}]
{{- range .GroupLabels.SortedPairs }} {{ .Value }}{{ end }}
{{- with .CommonLabels.Remove .GroupLabels.Names }} ({{ .Values | join " " }}){{ end }}
{{- end }}
{{ define "__description" }}{{ template "__text_summaries" . }}{{ end }}
{{ define "__text_summaries" -}}
{{ range $index, $alert := .Alerts }}{{ if $index }}
{{ end }}{{ $alert.Status }}: {{ template "__summary" $alert }}{{ end }}
{{- end }}
{{ define "__summary" -}}
{{ if .Annotations.summary }}{{ .Annotations.summary }}
{{- else if .Annotations.description }}{{ .Annotations.description }}
{{- else }}{{ .Labels.alertname }}{{ end }}
{{- end }}
{{ define "__text_alert_list" -}}
{{ range . }}Labels:
{{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Annotations:
{{ range .Annotations.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Source: {{ .GeneratorURL }}
{{ end }}
{{- end }}
{{ define "__text_alert_list_markdown" -}}
{{ range . }}
Labels:
{{ range .Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Annotations:
{{ range .Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Source: {{ .GeneratorURL }}
{{ end }}
{{- end }}
{{ define "__both_lists" -}}
{{ if .Alerts.Firing }}Alerts firing:
{{ template "__text_alert_list" .Alerts.Firing }}{{ end }}
{{- if .Alerts.Resolved }}Alerts resolved:
{{ template "__text_alert_list" .Alerts.Resolved }}{{ end }}
{{- end }}
{{ define "__both_lists_markdown" -}}
{{ if .Alerts.Firing }}**Firing**
{{ template "__text_alert_list_markdown" .Alerts.Firing }}{{ end }}
{{- if .Alerts.Resolved }}**Resolved**
{{ template "__text_alert_list_markdown" .Alerts.Resolved }}{{ end }}
{{- end }}
{{ define "__html_rows" -}}
{{ range .SortedPairs }}<tr><th>{{ .Name | html }}</th><td>{{ .Value | html }}</td></tr>{{ end }}
{{- end }}
{{ define "email.default.html" -}}
<h1>{{ template "email.default.subject" . }}</h1>
{{ range .Alerts }}<p>{{ .Status }} since {{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}</p>
<table>{{ template "__html_rows" .Labels }}{{ template "__html_rows" .Annotations }}</table>
{{ end }}<p><a href="{{ .URL | html }}">Open in Detectviz</a></p>
{{- end }}
{{ define "slack.default.pretext" }}{{ end }}
{{ define "pagerduty.default.instances" }}{{ template "__text_alert_list" . }}{{ end }}
"""
_SUBJECT = "__subject"
_LISTS = "__both_lists"
_MARKDOWN = "__both_lists_markdown"
_URL = "__alertmanagerURL"
_PRODUCT = "__alertmanager"
_EMPTY = ""
_SAME = {
    "default.title": _SUBJECT,
    "default.message": _LISTS,
    "discord.default.content": _EMPTY,
    "discord.default.message": _LISTS,
    "discord.default.title": _SUBJECT,
    "email.default.subject": _SUBJECT,
    "mattermost.default.text": _MARKDOWN,
    "msteams.default.summary": _SUBJECT,
    "msteams.default.text": _MARKDOWN,
    "msteams.default.title": _SUBJECT,
    "msteamsv2.default.text": _MARKDOWN,
    "msteamsv2.default.title": _SUBJECT,
    "opsgenie.default.description": _LISTS,
    "opsgenie.default.message": _SUBJECT,
    "opsgenie.default.source": _URL,
    "pagerduty.default.client": _PRODUCT,
    "pagerduty.default.clientURL": _URL,
    "pagerduty.default.description": _SUBJECT,
    "pushover.default.message": _LISTS,
    "pushover.default.title": _SUBJECT,
    "pushover.default.url": _URL,
    "rocketchat.default.alias": _PRODUCT,
    "rocketchat.default.emoji": _EMPTY,
    "rocketchat.default.iconurl": _EMPTY,
    "rocketchat.default.text": _LISTS,
    "rocketchat.default.title": _SUBJECT,
    "rocketchat.default.titlelink": _URL,
    "slack.default.callbackid": _EMPTY,
    "slack.default.fallback": _SUBJECT,
    "slack.default.footer": _EMPTY,
    "slack.default.iconemoji": _EMPTY,
    "slack.default.iconurl": _EMPTY,
    "slack.default.text": "__text_summaries",
    "slack.default.title": _SUBJECT,
    "slack.default.titlelink": _URL,
    "slack.default.username": _PRODUCT,
    "sns.default.message": _LISTS,
    "sns.default.subject": _SUBJECT,
    "telegram.default.message": _LISTS,
    "victorops.default.entity_display_name": _SUBJECT,
    "victorops.default.monitoring_tool": _PRODUCT,
    "victorops.default.state_message": _LISTS,
    "webex.default.message": _MARKDOWN,
    "wechat.default.agent_id": _EMPTY,
    "wechat.default.message": _LISTS,
    "wechat.default.to_party": _EMPTY,
    "wechat.default.to_tag": _EMPTY,
    "wechat.default.to_user": _EMPTY,
}


def default_source() -> str:
    """Return every default definition as one template."""
    return _SHARED + "\n".join(_aliases())


def _aliases() -> Iterator[str]:
    for name, meant in _SAME.items():
        body = f'{{{{ template "{meant}" . }}}}' if meant else ""
        yield f'{{{{ define "{name}" }}}}{body}{{{{ end }}}}'
