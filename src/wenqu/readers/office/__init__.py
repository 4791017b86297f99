"""Office documents: Word, sheets, slides, OpenDocument, RTF, old and new, encrypted or not."""
