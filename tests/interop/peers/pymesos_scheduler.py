"""A scheduler on pymesos (V1 HTTP, JSON) with the pymesos executor beside this file.

usage: pymesos_scheduler.py MASTER
"""
import getpass
import os
import sys
import uuid

from addict import Dict
from pymesos import MesosSchedulerDriver, Scheduler, decode_data, encode_data

from verdict import Case

NAMES = ['a', 'b', 'c']


def scalars(**amounts):
    return [{'name': name, 'type': 'SCALAR', 'scalar': {'value': value}} for name, value in amounts.items()]


def executor():
    info = Dict()
    info.executor_id.value = 'pymesos'
    info.name = 'pymesos'
    info.type = 'CUSTOM'
    info.command.value = '%s %s' % (sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pymesos_executor.py'))
    info.resources = scalars(cpus=0.1, mem=32)
    return info


class Launcher(Scheduler):
    def __init__(self, case):
        self.case = case
        self.waiting = list(NAMES)

    def registered(self, driver, framework_id, master):
        self.case.check(bool(framework_id.value), 'the framework got no id')
        self.case.check(master.version.startswith('1.11.'), 'the master says it is %s' % master.version)
        self.case.happened('registered')

    def resourceOffers(self, driver, offers):
        for offer in offers:
            if not self.waiting:
                driver.declineOffer(offer.id, {'refuse_seconds': 600})
                continue
            name = self.waiting.pop(0)
            task = Dict()
            task.name = name
            task.task_id.value = '%s.%s' % (name, uuid.uuid4())
            task.agent_id.value = offer.agent_id.value
            task.executor = executor()
            task.data = encode_data(b'hello')
            task.resources = scalars(cpus=0.1, mem=32)
            # The rest of the offer is to come back at once: one task per offer, three offers.
            driver.launchTasks(offer.id, [task], {'refuse_seconds': 0.1})

    def statusUpdate(self, driver, update):
        name = update.task_id.value.split('.')[0]
        self.case.check(update.source == 'SOURCE_EXECUTOR', 'an update from %s: %s' % (update.source, update.message))
        self.case.check(decode_data(update.data) == b'echo hello', 'data came back as %s' % update.data)
        if name == NAMES[-1] and update.state == 'TASK_RUNNING':
            driver.sendFrameworkMessage(executor().executor_id, update.agent_id, encode_data(b'ping'))
        self.case.state(name, update.state)

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        self.case.happened('message ' + decode_data(message).decode())

    def error(self, driver, message):
        self.case.problem('the driver reports an error: %s' % message)


case = Case({name: ['TASK_RUNNING', 'TASK_FINISHED'] for name in NAMES})
case.want('registered')
case.want('message echo ping')
info = Dict()
info.user = getpass.getuser()
info.name = 'interop-pymesos'
info.hostname = 'localhost'
info.checkpoint = True
driver = MesosSchedulerDriver(Launcher(case), info, sys.argv[1], use_addict=True, timeout=60)
driver.start()
well = case.wait()
driver.stop()
driver.join()
case.leave(well)
