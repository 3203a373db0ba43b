"""Small files of many types."""

import io
import struct
import wave
import zipfile

from PIL import Image

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."


def image(kind: str, width: int = 3, height: int = 2) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind)
    return file.getvalue()


def archive(**files: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return file.getvalue()


def _wave() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(100))
    return file.getvalue()


def _container(brand: bytes) -> bytes:
    """The first box of an ISO media file."""
    return struct.pack(">I4s4sI", 20, b"ftyp", brand, 0) + b"isom" + bytes(60)


FILES: dict[str, bytes] = {
    "image/jpeg": image("JPEG"),
    "image/png": image("PNG"),
    "image/gif": image("GIF"),
    "image/webp": image("WEBP"),
    "image/avif": image("AVIF"),
    "image/bmp": image("BMP"),
    "image/tiff": image("TIFF"),
    "image/heic": _container(b"heic"),
    "audio/mpeg": b"\xff\xf3\x90\x64" + bytes(400),
    "audio/mp4": _container(b"M4A "),
    "audio/aac": b"\xff\xf1\x50\x80" + bytes(50),
    "audio/ogg": b"OggS\0\x02" + bytes(22) + b"OpusHead" + bytes(50),
    "audio/wav": _wave(),
    "audio/webm": b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87"
    + bytes(50),
    "audio/flac": b"fLaC\0\0\0\x22" + bytes(50),
    "video/mp4": _container(b"isom"),
    "video/quicktime": _container(b"qt  "),
    "video/3gpp": _container(b"3gp4"),
    "video/x-msvideo": b"RIFF\0\0\0\0AVI LIST" + bytes(50),
    "application/pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n%%EOF\n",
    "application/msword": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "application/vnd.ms-excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "application/rtf": b"{\\rtf1 hello}",
    f"{_OPEN_XML}wordprocessingml.document": archive(**{"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}),
    f"{_OPEN_XML}spreadsheetml.sheet": archive(**{"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"}),
    f"{_OPEN_DOCUMENT}text": archive(mimetype=f"{_OPEN_DOCUMENT}text", **{"content.xml": "<x/>"}),
    "application/zip": archive(**{"a.txt": "hello"}),
    "text/plain": "Grüße, 世界\n".encode(),
    "text/csv": b"a,b\n1,2\n",
}
"""Type → a file of it."""

PROGRAM = b"MZ\x90\0" + bytes(200)
HTML = b"\n<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
