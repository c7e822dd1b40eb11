"""What plugins and the host agree on. A leaf: pure Python, no Django, no Celery."""
