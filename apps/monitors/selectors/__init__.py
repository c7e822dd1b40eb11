"""Questions about monitors; every one starts from an org or from keys already scoped by one."""
