"""The users of the load test, for Locust. `make load` (loadtest/load.py) starts servers and this, with a plan in LOAD_PLAN.

    LOAD_PLAN=plan.json locust -f loadtest/locust/locustfile.py --headless

A closed loop has many users, each of whom calls again when it has its answer. An open loop begins calls at a rate, whatever became of
those before; a call's time counts from when it was due, so that nobody waits unseen. The exit code is 1 when an answer was wrong.
"""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from typing import Any

import gevent
import gevent.pool
import locust
from loads.plan import CLOSED, OPEN, Plan
from loads.records import Recorder
from loads.scenarios import SCENARIOS
from loads.shapes import SHAPES
from locust.exception import StopUser
from operations import Operations, WrongAnswer
from sampling import Sampler
from watchers import Watchers
from wires import FAULTS, SECONDS, GrpcWire, HttpWire, Refused, Wire

PLAN = Plan.of_environment()
SCENARIO = SCENARIOS[PLAN.scenario]
STEP_SECONDS = 1.0
"""How often memory is looked at."""


class Session:
    """What all users of this process share."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.recorder = Recorder(late=PLAN.loop == OPEN)
        self.wire: Wire = (
            GrpcWire(PLAN.host, PLAN.port)
            if PLAN.wire == "grpc"
            else HttpWire(PLAN.host, PLAN.port, max(PLAN.users, PLAN.most_open))
        )
        count = math.ceil(PLAN.subscribers * SCENARIO.watchers)
        self.watchers = Watchers(self.wire, f"storm.{PLAN.run}.*", count, self.recorder) if count else None
        self.operations = Operations(self.wire, PLAN, self.watchers).by_name
        self._names, self._weights = list(SCENARIO.weights), list(SCENARIO.weights.values())
        self._chooser = random.Random(PLAN.seed + 1)
        self._sampler = Sampler(PLAN.processes, PLAN.metrics)
        self._measuring: gevent.Greenlet | None = None
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """Since the load began; subscribers are there before."""
        return 0.0 if self._began is None else time.perf_counter() - self._began

    def start(self) -> None:
        if self.watchers is not None:
            self.watchers.start()
        self._began = time.perf_counter()
        self._measuring = gevent.spawn(self._measure)

    def finish(self) -> None:
        """The record is written, and the exit code says whether all answers were right."""
        if self._measuring is not None:
            self._measuring.join()
        if self.watchers is not None:
            self.watchers.finish()
        record = self.recorder.finished()
        record.write(Path(PLAN.result))
        if record.wrong_count:
            self.environment.process_exit_code = 1

    def act(self, due: float) -> None:
        """One call, chosen by weight; `due` is when it was to begin."""
        (name,) = self._chooser.choices(self._names, self._weights)
        failure: Exception | None = None
        try:
            self.operations[name]()
        except WrongAnswer as error:
            failure = error
            self.recorder.wrong(name, str(error))
        except Refused as error:
            failure = error
            self.recorder.failed(name, due, error.code)
            if error.code in FAULTS:
                self.recorder.wrong(name, f"the server failed: {error.code}")
        except Exception as error:  # whatever cannot be read is no right answer
            failure = error
            self.recorder.wrong(name, f"cannot be read: {type(error).__name__}: {error}")
        ended = time.perf_counter()
        if failure is None:
            self.recorder.took(name, due, ended)
        self.environment.events.request.fire(
            request_type=PLAN.wire,
            name=name,
            response_time=(ended - due) * 1000,
            response_length=0,
            exception=failure,
            context={},
        )

    def _cached(self) -> tuple[float, float]:
        """A server whose metrics cannot be read has failed."""
        try:
            return self._sampler.cached()
        except OSError as error:
            self.recorder.wrong("GET /metrics", f"{type(error).__name__}: {error}")
            return 0.0, 0.0

    def _measure(self) -> None:
        gevent.sleep(PLAN.warm_up)
        record, sampler = self.recorder.record, self._sampler
        apart = (
            gevent.get_hub().threadpool.apply
        )  # a look at all processes takes a while, in which users go on
        hits, misses = apart(self._cached)
        before, began = apart(sampler.processor), time.perf_counter()
        self.recorder.begin()
        while (left := began + PLAN.seconds - time.perf_counter()) > 0:
            record.memory.append((time.perf_counter() - began, sampler.memory()))
            gevent.sleep(min(STEP_SECONDS, left))
        self.recorder.end()
        self.recorder.used(before, apart(sampler.processor))
        after = apart(self._cached)
        record.hits, record.misses = after[0] - hits, after[1] - misses
        record.memory.append((record.seconds, sampler.memory()))


SESSION: Session | None = None


def _started(environment: Any, **_: object) -> None:
    global SESSION
    SESSION = Session(environment)
    SESSION.start()


def _quitting(environment: Any, **_: object) -> None:
    session().finish()


_EVENTS: Any = locust.events  # its methods have no types
_EVENTS.test_start.add_listener(_started)
_EVENTS.quitting.add_listener(_quitting)


def session() -> Session:
    """The one of this process, which has started."""
    if SESSION is None:
        raise RuntimeError("the load has not started")
    return SESSION


def level(seconds: float) -> float:
    """The part of the full load that the shape asks for so long after the start; the warm-up has that of the first moment."""
    part = (seconds - PLAN.warm_up) / PLAN.seconds
    return SHAPES[PLAN.shape](min(1.0, max(0.0, part)))


class Load(locust.LoadTestShape):
    """How many users there are."""

    def tick(self) -> tuple[int, float] | None:
        now = SESSION.seconds if SESSION is not None else 0.0
        if now >= PLAN.warm_up + PLAN.seconds:
            return None
        users = max(1, round(PLAN.users * level(now))) if PLAN.loop == CLOSED and not SCENARIO.alone else 1
        return users, float(users)


class User(locust.User):
    """Of a closed loop: the next call when the last one is answered. Of an open loop there is one, who begins all calls."""

    @locust.task
    def act(self) -> None:
        if PLAN.loop == CLOSED:
            session().act(time.perf_counter())
        else:
            _open_loop(session())
            raise StopUser


def _open_loop(load: Session) -> None:
    """Begins calls at random moments, `rate` of them per second on average, until the end of the run."""
    calls = gevent.pool.Pool(PLAN.most_open)
    chooser = random.Random(PLAN.seed + 2)
    began = due = time.perf_counter()
    while due < began + PLAN.warm_up + PLAN.seconds:
        due += chooser.expovariate(PLAN.rate * level(due - began))
        if (wait := due - time.perf_counter()) > 0:
            gevent.sleep(wait)
        if calls.full():
            load.recorder.not_sent(due)
        else:
            calls.spawn(load.act, due)
    calls.join(timeout=SECONDS)
