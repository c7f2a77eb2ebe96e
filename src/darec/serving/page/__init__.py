"""The page: rendered on the server, in parts by htmx with JavaScript and as whole pages without it."""
