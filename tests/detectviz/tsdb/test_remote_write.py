import cramjam
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import STALE_NAN
from detectviz.tsdb.protobuf import message
from detectviz.tsdb.remote_histograms import encode_histogram
from detectviz.tsdb.remote_read import read_response
from detectviz.tsdb.remote_write import compressed, encode_labels, encode_series

UP = encode_labels((("__name__", "up"), ("job", "a")))


def body_of(times: list[int], values: list[float]) -> bytes:
    messages = encode_series(
        [UP], np.array([len(times)]), np.array(times, np.int64), np.array(values, np.float64), {}
    )
    return bytes(cramjam.snappy.decompress_raw(compressed(messages)))


def test_a_request_is_the_protobuf_of_the_specification() -> None:
    labels = (
        b"\x0a\x0e" + b"\x0a\x08__name__" + b"\x12\x02up" + b"\x0a\x08" + b"\x0a\x03job\x12\x01a"
    )
    first = (
        b"\x12\x10" + b"\x09" + bytes.fromhex("000000000000f03f") + b"\x10\x80\xd0\x95\xff\xbc\x31"
    )
    second = b"\x12\x14" + b"\x09" + bytes(8) + b"\x10" + b"\xff" * 9 + b"\x01"
    series = labels + first + second
    raw = body_of([1_700_000_000_000, -1], [1.0, 0.0])
    assert raw == b"\x0a" + bytes([len(series)]) + series


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=-(2**52), max_value=2**52)
            | st.integers(min_value=2**35, max_value=2**42),
            st.floats(width=64) | st.sampled_from([0.0, STALE_NAN]),
        ),
        max_size=8,
    )
)
def test_what_is_encoded_any_reader_of_protobuf_understands(
    samples: list[tuple[int, float]],
) -> None:
    times, values = [moment for moment, _ in samples], [value for _, value in samples]
    # A result of remote read holds the same messages as a request of remote write.
    answer = message(1, body_of(times, values))
    (found,) = read_response(bytes(cramjam.snappy.compress_raw(answer)))
    assert found.key == (("__name__", "up"), ("job", "a"))
    assert found.timestamps_ms.tolist() == times
    assert found.values.tobytes() == np.array(values, np.float64).tobytes()


def test_histograms_and_floats_of_a_series_come_in_order_of_time() -> None:
    histogram = Histogram(count=3, sum=1.5, schema=2, positive_spans=((1, 2),), positive=(1, 2))
    encoded = {1: encode_histogram(histogram, 2000)}
    times, values = np.array([1000, 2000, 3000]), np.array([1.0, 0.0, 3.0])
    messages = encode_series([UP], np.array([3]), times, values, encoded)
    answer = message(1, b"".join(messages))
    (found,) = read_response(bytes(cramjam.snappy.compress_raw(answer)))
    assert found.timestamps_ms.tolist() == [1000, 2000, 3000]
    assert found.histograms is not None
    assert found.histograms.tolist() == [None, histogram, None]
