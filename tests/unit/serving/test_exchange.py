"""How bodies are taken in: bounded each by itself, all together, and in time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from scintiflow.errors import Unavailable
from scintiflow.serving.exchange import Intake


def sending(parts: Iterable[bytes], *, announced: int | None = None, ends: bool = True) -> Request:
    """Make a request whose body comes in these parts, and after them its end or nothing."""
    left = list(parts)

    async def receive() -> Message:
        if not left and not ends:
            await asyncio.Event().wait()
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left) or not ends}

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def taken(intake: Intake, request: Request) -> bytes:
    """Take a body in and let it go."""
    async with intake.body(request) as body:
        return body


def refusal(taking: Callable[[], Awaitable[object]]) -> HTTPException:
    """Return how it is refused."""

    async def scenario() -> HTTPException:
        with pytest.raises(HTTPException) as refused:
            await taking()
        return refused.value

    return asyncio.run(scenario())


def test_a_body_that_stalls_is_refused_and_leaves_its_room() -> None:
    """Whoever sends half a body and no more is told 408 on a connection that ends; what came counts no longer."""
    intake = Intake(largest=10, together=10, seconds=0.05)

    async def scenario() -> None:
        with pytest.raises(HTTPException) as refused:
            await taken(intake, sending([b"12345"], announced=10, ends=False))
        assert refused.value.status_code == 408
        assert refused.value.headers == {"Connection": "close"}
        assert await taken(intake, sending([b"1234567890"], announced=10)) == b"1234567890"

    asyncio.run(scenario())


@pytest.mark.parametrize("announced", [6, None])
def test_bodies_are_bounded_together(announced: int | None) -> None:
    """What does not fit beside those that are held is put off, announced or not, and fits when they are gone."""
    intake = Intake(largest=10, together=10, seconds=5)

    async def scenario() -> None:
        async with intake.body(sending([b"123", b"45"])):
            with pytest.raises(Unavailable, match="later"):
                await taken(intake, sending([b"123", b"456"], announced=announced))
            assert await taken(intake, sending([b"12345"], announced=5)) == b"12345"
        assert await taken(intake, sending([b"123", b"456"], announced=announced)) == b"123456"

    asyncio.run(scenario())


def test_only_what_has_come_is_counted() -> None:
    """A client that announces much and sends little keeps nobody out."""
    intake = Intake(largest=10, together=10, seconds=5)

    async def scenario() -> None:
        stalled = asyncio.create_task(taken(intake, sending([b"1"], announced=10, ends=False)))
        await asyncio.sleep(0)
        assert await taken(intake, sending([b"123456789"], announced=9)) == b"123456789"
        stalled.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("announced", [11, None])
def test_a_body_that_is_too_large_is_told_so(announced: int | None) -> None:
    """One over the bound is refused for good, as soon as that is known."""
    intake = Intake(largest=10, together=100, seconds=5)
    assert refusal(lambda: taken(intake, sending([b"123456", b"78901"], announced=announced))).status_code == 413
