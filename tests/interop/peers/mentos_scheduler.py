"""A scheduler on mentos (V1 HTTP, JSON, one tornado loop) with a command task.

usage: mentos_scheduler.py MASTER
"""
import sys
import uuid

from mentos.interface import Scheduler
from mentos.scheduler import SchedulerDriver

from verdict import Case


class Launcher(Scheduler):
    def __init__(self, case):
        self.case = case
        self.launched = False

    def on_heartbeat(self, driver, message):
        self.case.happened('heartbeat')

    def on_offers(self, driver, offers):
        for offer in offers:
            if self.launched:
                driver.decline(offer['id'])
                continue
            self.launched = True
            driver.launch([offer['id']], [{
                'name': 'only',
                'task_id': {'value': 'only.%s' % uuid.uuid4()},
                'agent_id': offer['agent_id'],
                'resources': [
                    {'name': 'cpus', 'type': 'SCALAR', 'scalar': {'value': 0.1}},
                    {'name': 'mem', 'type': 'SCALAR', 'scalar': {'value': 32}},
                ],
                'command': {'value': 'echo hello'},
            }])

    def on_update(self, driver, status):
        # The library acknowledges by itself.
        self.case.state(status['task_id']['value'].split('.')[0], status['state'])

    def on_error(self, driver, message):
        self.case.problem('the driver reports an error: %s' % message)


case = Case({'only': ['TASK_RUNNING', 'TASK_FINISHED']})
case.want('heartbeat')
driver = SchedulerDriver(Launcher(case), 'interop-mentos', 'root', sys.argv[1])
driver.start(block=False)
case.leave(case.wait())
