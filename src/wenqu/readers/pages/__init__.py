"""What has pages and boxes: PDF, scans, pictures, and the recognition of their text."""
