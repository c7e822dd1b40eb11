"""What the platform tells about itself: who is acting, logs, metrics, health."""
