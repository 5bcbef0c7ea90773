"""How a peer says what came of its case; the suite reads the exit code and the last line.

Runs under every Python from 2.7 on, because each peer brings its own.
"""
import os
import sys
import threading
import time

# A cluster on a busy machine answers within this; a silent one must not hold up the suite.
LIMIT_SECONDS = 60


class Case(object):
    """Collects what was seen, and ends the process once everything expected has been."""

    def __init__(self, expected):
        """`expected` maps a task's short name to the states it must pass through, in order."""
        self.expected = expected
        self.seen = dict((name, []) for name in expected)
        self.also_wanted = set()
        self.problems = []
        self.done = threading.Event()

    def say(self, *words):
        print(' '.join(str(word) for word in words))
        sys.stdout.flush()

    def want(self, what):
        """Something besides task states must happen too."""
        self.also_wanted.add(what)

    def happened(self, what):
        self.say('happened', what)
        self.also_wanted.discard(what)
        self._look()

    def problem(self, text):
        """Something that must not be; the case has failed."""
        self.say('PROBLEM', text)
        self.problems.append(text)
        self.done.set()

    def check(self, condition, text):
        if not condition:
            self.problem(text)

    def state(self, name, state):
        """A status update arrived. A repeated one is a retry and counts once."""
        states = self.seen.setdefault(name, [])
        self.say('state', name, state)
        # Executors may or may not report TASK_STARTING first.
        if state != 'TASK_STARTING' and state not in states:
            states.append(state)
            wanted = self.expected.get(name, [])
            self.check(states == wanted[:len(states)], '%s went through %s, wanted %s' % (name, states, wanted))
        self._look()

    def _look(self):
        if not self.also_wanted and all(self.seen[name] == states for name, states in self.expected.items()):
            self.done.set()

    def wait(self):
        """Waits for the end, prints the verdict, and answers whether all is well."""
        deadline = time.time() + LIMIT_SECONDS
        # Python 2 does not hear signals in an endless wait.
        while not self.done.is_set() and time.time() < deadline:
            self.done.wait(0.5)
        if not self.done.is_set():
            missing = dict((n, self.seen[n]) for n, s in self.expected.items() if self.seen[n] != s)
            self.problems.append('not within %d s: %s %s' % (LIMIT_SECONDS, missing, sorted(self.also_wanted)))
        self.say('RESULT', 'OK' if not self.problems else 'failed: ' + '; '.join(self.problems))
        return not self.problems

    def leave(self, well):
        """Ends the process whatever threads a client library still has."""
        sys.stdout.flush()
        os._exit(0 if well else 1)
