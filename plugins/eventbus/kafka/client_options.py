"""What the Kafka client is told, from the plugin's configuration."""

from detectviz.contracts.eventbus import EventBusContext


def client_options(context: EventBusContext) -> dict[str, str | int | bool]:
    """Return librdkafka's options: addresses, TLS and SASL."""
    config, secrets = context.config, context.secrets
    mechanism = str(config["sasl_mechanism"])
    is_tls = bool(config["tls"])
    protocol = ("sasl_" if mechanism != "none" else "") + ("ssl" if is_tls else "plaintext")
    options: dict[str, str | int | bool] = {
        "bootstrap.servers": str(config["url"]).removeprefix("kafka://").rstrip("/"),
        "client.id": context.client_id,
        "security.protocol": protocol,
        "socket.timeout.ms": max(1000, round(context.timeout_s * 1000)),
        "log_level": 2,
    }
    if is_tls:
        options["enable.ssl.certificate.verification"] = bool(config["verify_tls"])
        files = {
            "ssl.ca.location": "ca_file",
            "ssl.certificate.location": "certificate_file",
            "ssl.key.location": "key_file",
        }
        options |= {name: str(config[key]) for name, key in files.items() if config.get(key)}
    if mechanism != "none":
        options["sasl.mechanism"] = mechanism
        options["sasl.username"] = str(config["username"])
        options["sasl.password"] = secrets.get("password", "")
    return options
