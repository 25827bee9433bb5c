"""The DICOMweb door: strict HTTP/1.1 (RFC 9112) over TLS 1.3, streamed both ways with back-pressure."""
