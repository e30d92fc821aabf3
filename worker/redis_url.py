"""The URL of a Redis as Celery takes it: over TLS, certificate and host name are checked unless it says otherwise."""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

TLS = "rediss"


def verify_by_default(url: str, *, ca: Path | None) -> str:
    """The same URL; one of `rediss://` names what kombu would leave out.

    Without them any certificate is taken, for any host (kombu 5.7): whoever stands between reads the password.

    Args:
        ca: a file of the authorities to trust; None: the system's.
    """
    parts = urlsplit(url)
    if parts.scheme != TLS:
        return url
    query = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}
    if ca is not None:
        query["ssl_ca_certs"] = str(ca)
    return urlunsplit(parts._replace(query=urlencode(query | dict(parse_qsl(parts.query)))))
