"""The story's configuration, in manifest form."""


def story(target: str, hook: str, mail_to: str = "ops@example.org") -> str:
    """Return a monitor, a rule, a contact point with two receivers, and the tree."""
    return f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: home, labels: {{team: web}}}}
spec: {{title: Home, type: http, interval: 1s, timeout: 1s, config: {{url: "{target}"}}}}
---
apiVersion: alerting/v1
kind: RuleGroup
metadata: {{name: web}}
spec:
  interval: 1s
  rules:
    - alert: HomeDown
      expr: probe_success{{monitor="home"}} == 0
      for: 2s
      labels: {{severity: critical}}
      annotations: {{summary: "{{{{ $labels.monitor }}}} is down"}}
---
apiVersion: notifications/v1
kind: ContactPoint
metadata: {{name: ops}}
spec:
  receivers:
    - {{notifier: webhook, config: {{url: "{hook}"}}}}
    - {{notifier: email, config: {{to: ["{mail_to}"]}}, send_resolved: true}}
---
apiVersion: notifications/v1
kind: RoutingTree
metadata: {{name: default}}
spec:
  contact_point: ""
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 4h
  routes:
    - {{matchers: ['alertname="HomeDown"'], contact_point: ops}}
"""
