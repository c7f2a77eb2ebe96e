"""The page: server-rendered, with htmx where there is JavaScript and whole pages where there is none."""
