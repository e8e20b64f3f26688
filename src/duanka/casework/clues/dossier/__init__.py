"""The dossier of a case: its facts, how they are assembled, and the document for people."""
