"""Work in threads, in its turn."""

from anyio import create_task_group, to_thread
from starlette.requests import ClientDisconnect


async def in_turn(request, function, limiter):
    """What a function returns, called in a thread when the limiter has room.

    A client that leaves leaves the line, too: otherwise clients that ask and leave would make the
    line longer than there are connections.

    Raises
    ------
    ClientDisconnect
        If the client left before its turn.
    """
    answers, errors = [], []

    async def leave_with_client():
        while (await request.receive())["type"] != "http.disconnect":
            pass  # a body that nobody asked for
        group.cancel_scope.cancel()

    async with create_task_group() as group:
        group.start_soon(leave_with_client)
        try:
            answers.append(await to_thread.run_sync(function, limiter=limiter))
        except Exception as error:  # raised below: the group would wrap it
            errors.append(error)
        group.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not answers:
        raise ClientDisconnect
    return answers[0]
