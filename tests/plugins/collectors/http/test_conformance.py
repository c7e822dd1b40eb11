from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "http"
    configs = (
        {"url": "http://127.0.0.1/"},
        {"url": "https://127.0.0.1/", "auth": "basic", "username": "me", "save_response": "always"},
        {
            "url": "http://127.0.0.1/",
            "method": "POST",
            "body": "{}",
            "auth": "bearer",
            "secret_header_name": "X-Api-Key",
            "save_response": "always",
            "evidence_body_bytes": 65536,
            "assertions": [{"source": "json", "path": "$.a", "operator": "exists"}],
        },
        {
            "url": "http://127.0.0.1/",
            "auth": "oauth2_client_credentials",
            "oauth2_token_url": "http://127.0.0.1/token",
            "oauth2_client_id": "me",
        },
    )
