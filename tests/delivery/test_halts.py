import asyncio

from connector.core.retry import State
from connector.core.turns import NOTHING
from tests.delivery.rig import Rig, digests, run
from tests.fakes.tiktok import BAD_TOKEN, DENIED, NO_AUDIENCE, OK, REFUSED


def test_a_missing_audience_halts_alone_and_resumes_by_itself() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else OK
        async with rig.running(probes=True):
            rig.put(1, digests(0, 5))
            rig.put(2, digests(0, 5))
            rig.put(100, digests(0, 5))
            await asyncio.sleep(300.0)

            assert rig.audience(1).gate.state is State.HALTED
            assert rig.members(2) == rig.members(100) == set(digests(0, 5))
            assert rig.letters.written == []
            tries = [call for call in rig.emea.calls if call.audience_id == "1"]
            assert 10 <= len(tries) <= 30

            rig.emea.answer = lambda _, __: OK
            await rig.idle(31.0)

        assert rig.audience(1).gate.state is State.OPEN
        assert rig.members(1) == set(digests(0, 5))

    run(scenario())


def test_a_refused_token_halts_its_destination_alone_and_a_new_one_mends_it_at_once() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.token = BAD_TOKEN
        rig.emea.answer = lambda _, __: BAD_TOKEN
        async with rig.running(probes=True):
            rig.put(1, digests(0, 5))
            rig.put(2, digests(0, 5))
            rig.put(100, digests(0, 5))
            await asyncio.sleep(600.0)

            assert rig.accounts["emea"].trouble == "token_refused"
            assert rig.accounts["apac"].trouble is None
            assert rig.members(100) == set(digests(0, 5))
            assert len(rig.emea.calls) <= 2
            assert 15 <= len(rig.emea.probes) <= 50

            rig.emea.token = OK
            rig.emea.answer = lambda _, __: OK
            rig.emea.changed = True
            await rig.idle(4.0)

        assert rig.members(1) == rig.members(2) == set(digests(0, 5))
        assert rig.accounts["emea"].trouble is None

    run(scenario())


def test_a_token_refused_at_start_is_known_before_any_change_comes() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.apac.token = BAD_TOKEN
        async with rig.running(probes=True):
            await asyncio.sleep(2.0)

            assert rig.accounts["apac"].trouble == "token_refused"
            assert rig.accounts["emea"].trouble is None

    run(scenario())


def test_permission_denied_with_a_good_token_is_the_audiences_fault() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.answer = lambda audience, _: DENIED if audience == "1" else OK
        async with rig.running(probes=True):
            rig.put(1, digests(0, 5))
            await asyncio.sleep(5.0)
            rig.put(2, digests(0, 5))
            await asyncio.sleep(2.0)

            assert rig.audience(1).gate.state is State.HALTED
            assert rig.accounts["emea"].trouble is None
            assert rig.members(2) == set(digests(0, 5))

            await asyncio.sleep(300.0)
            rig.put(2, digests(100, 5))
            await asyncio.sleep(2.0)

            assert rig.members(2) == {*digests(0, 5), *digests(100, 5)}

            rig.emea.answer = lambda _, __: OK
            await rig.idle(31.0)

    run(scenario())


def test_permission_denied_with_a_bad_token_halts_the_destination() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.answer = lambda _, __: DENIED
        async with rig.running(probes=True):
            await asyncio.sleep(1.0)
            rig.emea.token = DENIED
            rig.put(1, digests(0, 5))
            await asyncio.sleep(60.0)

            assert rig.accounts["emea"].trouble == "no_permission"
            assert rig.audience(1).gate.state is State.OPEN

    run(scenario())


def test_an_unreachable_tiktok_is_trouble_until_it_answers() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.emea.token = REFUSED
        async with rig.running(probes=True):
            await asyncio.sleep(30.0)

            assert rig.accounts["emea"].trouble == "connection"

            rig.emea.token = OK
            await asyncio.sleep(31.0)

            assert rig.accounts["emea"].trouble is None

    run(scenario())


def test_a_halt_never_sets_anything_aside() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0, max_rows=10)
        rig.emea.answer = lambda _, __: NO_AUDIENCE
        async with rig.running(probes=True):
            for start in range(0, 1000, 100):
                rig.put(1, digests(start, 100))
                await asyncio.sleep(10.0)

            assert rig.letters.written == []
            assert rig.backlog.pending == 1000
            assert rig.committable() is None
            assert rig.backlog.is_stuck()

    run(scenario())


def test_without_a_share_probes_go_all_the_same() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.rate.set_part(NOTHING, 0.0)
        rig.emea.token = BAD_TOKEN
        async with rig.running(probes=True):
            await asyncio.sleep(1.0)

            assert rig.accounts["emea"].trouble == "token_refused"

    run(scenario())
