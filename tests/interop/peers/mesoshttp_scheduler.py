"""A scheduler on mesoshttp (V1 HTTP, JSON) with command tasks: one ends by itself, one is killed.

usage: mesoshttp_scheduler.py MASTER, which is host:port or zk://host:port/path
"""
import sys
import threading
import uuid

from mesoshttp.client import MesosClient

from verdict import Case

COMMANDS = {'short': 'echo hello', 'lasting': 'sleep 1000'}


class Launcher(object):
    def __init__(self, case, master):
        self.case = case
        self.driver = None
        self.waiting = ['short', 'lasting']
        url = master if '://' in master else 'http://' + master
        self.client = MesosClient(mesos_urls=[url], frameworkName='interop-mesoshttp', frameworkUser='root')
        self.client.on(MesosClient.SUBSCRIBED, self.subscribed)
        self.client.on(MesosClient.OFFERS, self.offers)
        self.client.on(MesosClient.UPDATE, self.update)
        self.client.on(MesosClient.HEARTBEAT, lambda _: case.happened('heartbeat'))
        self.client.on(MesosClient.ERROR, lambda message: case.problem('the client reports an error: %s' % message))

    def subscribed(self, driver):
        self.driver = driver
        self.case.check(bool(driver.frameworkId), 'the framework got no id')
        self.case.happened('subscribed')

    def offers(self, offers):
        for offer in offers:
            if not self.waiting:
                offer.decline()
                continue
            name = self.waiting.pop(0)
            offer.accept([{
                'name': name,
                'task_id': {'value': '%s.%s' % (name, uuid.uuid4())},
                'agent_id': {'value': offer.get_offer()['agent_id']['value']},
                'resources': [
                    {'name': 'cpus', 'type': 'SCALAR', 'scalar': {'value': 0.1}},
                    {'name': 'mem', 'type': 'SCALAR', 'scalar': {'value': 32}},
                ],
                'command': {'value': COMMANDS[name]},
            }])

    def update(self, update):
        status = update['status']
        name = status['task_id']['value'].split('.')[0]
        if name == 'lasting' and status['state'] == 'TASK_RUNNING':
            self.driver.kill(status['agent_id']['value'], status['task_id']['value'])
        if name == 'short' and status['state'] == 'TASK_FINISHED':
            self.driver.revive()
        self.case.state(name, status['state'])


case = Case({'short': ['TASK_RUNNING', 'TASK_FINISHED'], 'lasting': ['TASK_RUNNING', 'TASK_KILLED']})
case.want('subscribed')
case.want('heartbeat')
launcher = Launcher(case, sys.argv[1])
thread = threading.Thread(target=launcher.client.register)
thread.daemon = True
thread.start()
well = case.wait()
if launcher.driver:
    launcher.driver.tearDown()
case.leave(well)
