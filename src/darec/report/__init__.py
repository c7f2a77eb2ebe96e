"""Drawing and HTML helpers of every page that people look at; each domain owns its own plots and page."""
