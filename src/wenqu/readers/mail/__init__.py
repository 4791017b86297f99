"""Mail, and what is packed like it: Outlook messages, saved web pages."""
