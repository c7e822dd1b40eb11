"""What happens to plugins, told to the audit."""

from apps.extensions.services.refusals import refusal_record
from detectviz.pluginhost.refusals import ledger

ledger.listen(refusal_record)
