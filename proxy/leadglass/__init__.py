"""Leadglass: a zero-trust access gateway in front of existing PACS and DICOMweb servers."""
