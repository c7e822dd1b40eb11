"""What people say when they handle alerts."""

from typing import Any

from rest_framework import serializers

from apps.alerting.enums import AssigneeKind, HandlingAction

MOST_ALERTS = 1000


class HandlingSerializer(serializers.Serializer[Any]):
    """Words to go with an action."""

    comment = serializers.CharField(max_length=4000, allow_blank=True, default="")


class CommentSerializer(serializers.Serializer[Any]):
    """A comment."""

    comment = serializers.CharField(max_length=4000)


class UntilSerializer(HandlingSerializer):
    """Words, and until when if not until the end."""

    until = serializers.DateTimeField(required=False, allow_null=True)


class SnoozeSerializer(HandlingSerializer):
    """Words, and until when."""

    until = serializers.DateTimeField()


class AssignSerializer(HandlingSerializer):
    """Whose the alert is; without a name nobody's."""

    kind = serializers.ChoiceField(choices=AssigneeKind.choices, default=AssigneeKind.USER.value)
    assignee = serializers.CharField(max_length=63, allow_blank=True, default="")


class BulkSerializer(AssignSerializer):
    """One action on alerts by name."""

    action = serializers.ChoiceField(choices=HandlingAction.choices)
    names = serializers.ListField(
        child=serializers.CharField(max_length=63), allow_empty=False, max_length=MOST_ALERTS
    )
    until = serializers.DateTimeField(required=False, allow_null=True)
