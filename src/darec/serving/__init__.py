"""The API and the page: recommendations of a bundle over HTTP. It reads bundles only."""
