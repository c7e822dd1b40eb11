import cramjam

from detectviz.tsdb.remote_write import write_request


def test_a_request_is_the_protobuf_of_the_specification() -> None:
    body = write_request(
        [((("__name__", "up"), ("job", "a")), [(1_700_000_000_000, 1.0), (-1, 0.0)])]
    )
    raw = bytes(cramjam.snappy.decompress_raw(body))
    labels = (
        b"\x0a\x0e" + b"\x0a\x08__name__" + b"\x12\x02up" + b"\x0a\x08" + b"\x0a\x03job\x12\x01a"
    )
    first = (
        b"\x12\x10" + b"\x09" + bytes.fromhex("000000000000f03f") + b"\x10\x80\xd0\x95\xff\xbc\x31"
    )
    second = b"\x12\x14" + b"\x09" + bytes(8) + b"\x10" + b"\xff" * 9 + b"\x01"
    series = labels + first + second
    assert raw == b"\x0a" + bytes([len(series)]) + series
