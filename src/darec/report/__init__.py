"""Drawing and HTML helpers for all pages; each domain has its own plots and page."""
