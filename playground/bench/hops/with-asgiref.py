"""Hops of asgiref: see ../harness/hop-program.ts for what it is asked and what it answers."""
import asyncio
import json
import sys
import time

from asgiref.sync import async_to_sync, sync_to_async


def add(a, b):
    return a + b


async def add_later(a, b):
    return a + b


async def main():
    # Made while the loop runs, it goes back to that loop and starts none of its own.
    add_on_loop = async_to_sync(add_later)

    def nested(a, b):
        return add_on_loop(a, b)

    calls = {
        'hop': sync_to_async(add),
        'pool': sync_to_async(add, thread_sensitive=False),
        'nested': sync_to_async(nested),
    }

    async def measure(call, inFlight, seconds):
        function = calls[call]
        end = time.perf_counter() + seconds
        hops = 0

        async def drive():
            nonlocal hops
            while time.perf_counter() < end:
                number = hops
                hops += 1
                if await function(number, 1) != number + 1:
                    raise RuntimeError(call + ' gave a wrong result')

        cpu = time.process_time()
        began = time.perf_counter()
        if inFlight == 1:
            await drive()
        else:
            await asyncio.gather(*(drive() for _ in range(inFlight)))
        wall = time.perf_counter() - began
        return {'hops': hops, 'wall': wall * 1e6, 'cpu': (time.process_time() - cpu) * 1e6}

    print('"ready"', flush=True)
    for line in iter(sys.stdin.readline, ''):
        print(json.dumps(await measure(**json.loads(line))), flush=True)


asyncio.run(main())
