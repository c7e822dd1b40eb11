"""Our templates against Prometheus' own: promtool must expand every annotation to the same text."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.alerting.services import rule_tests
from apps.alerting.services.rule_tests import rule_tests_run

DATA = Path(__file__).parent / "data" / "templates.yml"
TEMPLATES: list[str] = yaml.safe_load(DATA.read_text(encoding="utf-8"))


def write_files(folder: Path, annotations: dict[str, str]) -> Path:
    rule = {
        "alert": "T",
        "expr": 'up{job="x"}',
        "annotations": {f"a{number:02}": text for number, text in enumerate(TEMPLATES)},
    }
    labels = {"job": "x", "instance": "localhost:9090"}
    test: dict[str, Any] = {
        "interval": "1m",
        "external_labels": {"region": "eu"},
        "input_series": [
            {"series": 'up{job="x",instance="localhost:9090"}', "values": "1x5"},
            {"series": 'up{job="y",instance="other"}', "values": "2x5"},
        ],
        "alert_rule_test": [
            {
                "eval_time": "1m",
                "alertname": "T",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
            }
        ],
    }
    rules = {"groups": [{"name": "t", "rules": [rule]}]}
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}), "utf-8")
    return path


def ours(folder: Path) -> dict[str, str]:
    """Return what our templates make, read out of the failure of an empty expectation."""
    found: dict[str, str] = {}
    shown = rule_tests._shown

    def spy(labels: Any, annotations: Any) -> str:
        found.update(annotations)
        return shown(labels, annotations)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_tests, "_shown", spy)
        rule_tests_run(write_files(folder, {}))
    return found


@pytest.mark.services("promtool")
def test_promtool_expands_every_template_to_the_same_text(tmp_path: Path) -> None:
    expanded = ours(tmp_path)
    assert len(expanded) == len(TEMPLATES)
    path = write_files(tmp_path, expanded)
    assert rule_tests_run(path).is_ok
    command = ["promtool", "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
