"""The C++ scheduler driver of Mesos 1.11.0 (V0, libprocess), by way of its Python 2.7 binding.

usage: native_driver.py SCENARIO MASTER [EXECUTOR_COMMAND]
"""
import subprocess
import sys
import threading
import time
import uuid

import mesos.interface
from mesos.interface import mesos_pb2 as pb
from mesos.scheduler import MesosSchedulerDriver

from verdict import Case, LIMIT_SECONDS

FINISHED = ['TASK_RUNNING', 'TASK_FINISHED']


def add_resources(message, cpus=0.1, mem=32):
    for name, value in (('cpus', cpus), ('mem', mem)):
        resource = message.resources.add()
        resource.name = name
        resource.type = pb.Value.SCALAR
        resource.scalar.value = value


def new_task(name, **resources):
    task = pb.TaskInfo()
    task.name = name
    # The short name comes first, so that an update can be told from its id alone.
    task.task_id.value = '%s.%s' % (name, uuid.uuid4())
    add_resources(task, **resources)
    return task


def shell(name, line, **resources):
    task = new_task(name, **resources)
    task.command.value = line
    return task


def argv(name, *words):
    task = new_task(name)
    task.command.shell = False
    task.command.value = words[0]
    task.command.arguments.extend(words)
    return task


def custom(name, command):
    task = new_task(name)
    task.data = b'hello \x00\xff'
    task.executor.executor_id.value = 'one-executor-for-all'
    task.executor.name = 'custom'
    task.executor.command.value = command
    add_resources(task.executor)
    return task


def framework(name, failover_seconds=0.0):
    info = pb.FrameworkInfo()
    info.user = 'root'
    info.name = 'interop-' + name
    info.failover_timeout = failover_seconds
    return info


class Scheduler(mesos.interface.Scheduler):
    """Launches all tasks on the first offer and holds what comes back against the case."""

    def __init__(self, case, tasks, explicit=True):
        self.case = case
        self.tasks = tasks
        self.explicit = explicit
        self.agent = None
        self.executor = None
        self.framework_id = None
        self.on_state = {}

    def registered(self, driver, framework_id, master):
        self.framework_id = framework_id.value
        self.case.say('registered', framework_id.value, 'with version', master.version)
        self.case.check(framework_id.value != '', 'the framework got no id')
        self.case.check(master.version.startswith('1.11.'), 'the master says it is %s' % master.version)
        self.case.check(master.port > 0 and master.id != '', 'the master does not say where it is')
        self.case.happened('registered')

    def reregistered(self, driver, master):
        self.case.happened('reregistered')

    def resourceOffers(self, driver, offers):
        for offer in offers:
            self.check_offer(offer)
            if not self.tasks:
                driver.declineOffer(offer.id)
                continue
            tasks, self.tasks = self.tasks, []
            self.agent = offer.slave_id
            for task in tasks:
                task.slave_id.value = offer.slave_id.value
            operation = pb.Offer.Operation()
            operation.type = pb.Offer.Operation.LAUNCH
            operation.launch.task_infos.extend(tasks)
            driver.acceptOffers([offer.id], [operation])

    def check_offer(self, offer):
        names = set(resource.name for resource in offer.resources)
        self.case.check(set(['cpus', 'mem']) <= names, 'an offer holds only %s' % names)
        self.case.check(offer.framework_id.value == self.framework_id, 'an offer for another framework')
        self.case.check(offer.hostname != '' and offer.url.address.port > 0, 'an offer does not say where its agent is')

    def statusUpdate(self, driver, update):
        name = update.task_id.value.split('.')[0]
        state = pb.TaskState.Name(update.state)
        source = pb.TaskStatus.Source.Name(update.source)
        reason = pb.TaskStatus.Reason.Name(update.reason) if update.HasField('reason') else None
        self.case.say('update', name, state, source, reason, repr(update.message), repr(update.data))
        if self.explicit and update.HasField('uuid'):
            driver.acknowledgeStatusUpdate(update)
        self.case.check(update.timestamp > 0, 'an update without a time')
        if name in self.on_state:
            self.on_state[name](driver, update, state)
        if reason != 'REASON_RECONCILIATION':
            self.case.state(name, state)

    def frameworkMessage(self, driver, executor, agent, message):
        self.case.check(agent.value == self.agent.value, 'a message from another agent')
        self.case.happened('message ' + message)

    def error(self, driver, message):
        self.case.problem('the driver reports an error: ' + message)


def drive(case, scheduler, info, master):
    driver = MesosSchedulerDriver(scheduler, info, master, not scheduler.explicit)
    driver.start()
    well = case.wait()
    driver.stop()
    driver.join()
    return well


def run_custom(master, command):
    names = ['a', 'b', 'c']
    case = Case(dict((name, FINISHED) for name in names))
    case.want('registered')
    case.want('message echo ping')
    tasks = [custom(name, command) for name in names]
    executor = tasks[0].executor.executor_id
    scheduler = Scheduler(case, tasks)

    def look(driver, update, state):
        case.check(update.source == pb.TaskStatus.SOURCE_EXECUTOR, 'an update that is not from the executor')
        case.check(update.data == b'echo hello \x00\xff', 'data came back as %r' % update.data)
        case.check(update.slave_id.value == scheduler.agent.value, 'an update from another agent')
        if state == 'TASK_RUNNING' and update.task_id.value.startswith('a.'):
            # Mesos does not name the executor in updates of an HTTP executor, so its id comes from the task.
            driver.sendFrameworkMessage(executor, update.slave_id, 'ping')

    scheduler.on_state = dict((name, look) for name in names)
    return drive(case, scheduler, framework('custom'), master)


def run_command(master):
    case = Case({
        'shell': FINISHED,
        'argv': FINISHED,
        'failing': ['TASK_RUNNING', 'TASK_FAILED'],
        'killed': ['TASK_RUNNING', 'TASK_KILLED'],
    })
    tasks = [
        shell('shell', 'echo hello | grep -q hello'),
        argv('argv', '/bin/sh', '-c', 'test "$1" = "two words"', 'sh', 'two words'),
        shell('failing', 'exit 3'),
        shell('killed', 'sleep 1000'),
    ]
    scheduler = Scheduler(case, tasks)

    def failing(driver, update, state):
        if state == 'TASK_FAILED':
            case.check('exited with status 3' in update.message, 'a failure says %r' % update.message)

    def killed(driver, update, state):
        if state == 'TASK_RUNNING':
            driver.killTask(update.task_id)

    scheduler.on_state = {'failing': failing, 'killed': killed}
    return drive(case, scheduler, framework('command'), master)


def run_implicit(master):
    names = ['i%d' % n for n in range(5)]
    case = Case(dict((name, FINISHED) for name in names))
    scheduler = Scheduler(case, [shell(name, 'true') for name in names], explicit=False)
    return drive(case, scheduler, framework('implicit'), master)


def run_invalid(master):
    case = Case({'huge': ['TASK_ERROR'], 'twin': ['TASK_RUNNING', 'TASK_KILLED']})
    twin = shell('twin', 'sleep 1000')
    scheduler = Scheduler(case, [shell('huge', 'true', cpus=100000), twin])
    case.want('refused')

    def huge(driver, update, state):
        case.check(update.source == pb.TaskStatus.SOURCE_MASTER, 'not refused by the master')
        case.check(update.reason == pb.TaskStatus.REASON_TASK_INVALID, 'refused for another reason')
        case.check('required by task and its executor is more than available' in update.message, 'the refusal says %r' % update.message)
        case.happened('refused')

    def twin_runs(driver, update, state):
        if state == 'TASK_RUNNING':
            driver.killTask(update.task_id)

    scheduler.on_state = {'huge': huge, 'twin': twin_runs}
    return drive(case, scheduler, framework('invalid'), master)


def run_reconcile(master):
    case = Case({'lasting': ['TASK_RUNNING', 'TASK_KILLED']})
    case.want('all tasks reconciled')
    case.want('unknown task is lost')
    scheduler = Scheduler(case, [shell('lasting', 'sleep 1000')])

    def lasting(driver, update, state):
        if update.reason == pb.TaskStatus.REASON_RECONCILIATION:
            case.check(state == 'TASK_RUNNING', 'reconciled as %s' % state)
            case.check(update.source == pb.TaskStatus.SOURCE_MASTER, 'reconciled by somebody else')
            case.check(not update.HasField('uuid') or update.uuid == b'', 'a reconciliation wants to be acknowledged')
            case.happened('all tasks reconciled')
            unknown = pb.TaskStatus()
            unknown.task_id.value = 'unknown.task'
            unknown.state = pb.TASK_RUNNING
            driver.reconcileTasks([unknown])
        elif state == 'TASK_RUNNING':
            driver.reconcileTasks([])

    def unknown(driver, update, state):
        case.check(state == 'TASK_LOST', 'an unknown task is %s' % state)
        case.happened('unknown task is lost')
        lasting_id = pb.TaskID()
        lasting_id.value = task_id
        driver.killTask(lasting_id)

    task_id = scheduler.tasks[0].task_id.value
    scheduler.on_state = {'lasting': lasting, 'unknown': unknown}
    return drive(case, scheduler, framework('reconcile'), master)


def run_offers(master):
    """Declined resources come back after revive, and not while suppressed."""
    case = Case({})
    for step in ('first offer', 'offer after revive'):
        case.want(step)

    class Reviver(Scheduler):
        def resourceOffers(self, driver, offers):
            for offer in offers:
                self.check_offer(offer)
                driver.declineOffer(offer.id, pb.Filters(refuse_seconds=3600))
            if 'first offer' in case.also_wanted:
                case.happened('first offer')
                driver.suppressOffers()
                driver.reviveOffers()
            else:
                case.happened('offer after revive')

    return drive(case, Reviver(case, []), framework('offers'), master)


def run_failover(master):
    """A second scheduler takes the framework over: the first is told, the task goes on, the second kills it."""
    case = Case({'kept': ['TASK_RUNNING']})
    case.want('told that it failed over')
    script = [sys.executable, __file__, 'successor', master]
    scheduler = Scheduler(case, [shell('kept', 'sleep 1000')])
    successor = []

    def kept(driver, update, state):
        if state == 'TASK_RUNNING' and not successor:
            successor.append(subprocess.Popen(script + [scheduler.framework_id, update.task_id.value]))

    def error(driver, message):
        case.check(message == 'Framework failed over', 'told %r' % message)
        case.happened('told that it failed over')

    scheduler.on_state = {'kept': kept}
    scheduler.error = error
    driver = MesosSchedulerDriver(scheduler, framework('failover', 600.0), master, False)
    driver.start()
    well = case.wait()
    if not successor:
        return False
    deadline = time.time() + LIMIT_SECONDS
    while successor[0].poll() is None and time.time() < deadline:
        time.sleep(0.1)
    if successor[0].poll() is None:
        successor[0].kill()
    driver.abort()
    return well and successor[0].wait() == 0


def run_successor(master, framework_id, task_id):
    case = Case({'kept': ['TASK_KILLED']})
    case.want('registered')
    case.want('task is still there')
    scheduler = Scheduler(case, [])
    info = framework('failover', 600.0)
    info.id.value = framework_id
    began = []

    def begin(driver, framework_id_seen, master_info):
        case.check(framework_id_seen.value == framework_id, 'another framework id after failover')
        case.happened('registered')
        if not began:
            began.append(True)
            driver.reconcileTasks([])

    def kept(driver, update, state):
        if update.reason == pb.TaskStatus.REASON_RECONCILIATION:
            case.check(state == 'TASK_RUNNING', 'the task is %s after failover' % state)
            case.happened('task is still there')
            driver.killTask(update.task_id)

    scheduler.framework_id = framework_id
    scheduler.registered = begin
    scheduler.on_state = {'kept': kept}
    return drive(case, scheduler, info, master)


def run_leader(master):
    """The leading master dies while a task runs: the driver is told, finds the next one, and the task is still there."""
    case = Case({'kept': ['TASK_RUNNING', 'TASK_KILLED']})
    for step in ('registered', 'disconnected', 'registered again', 'task is still there'):
        case.want(step)
    scheduler = Scheduler(case, [shell('kept', 'sleep 1000')])

    def ask(driver):
        # A new master says nothing of a task whose agent is not back yet.
        while 'task is still there' in case.also_wanted and not case.problems:
            driver.reconcileTasks([])
            time.sleep(0.2)

    first = scheduler.registered

    def registered(driver, framework_id, master_info):
        # 1.11 tells a driver that finds a new master that it is registered, not that it is so again.
        if 'registered' in case.also_wanted:
            return first(driver, framework_id, master_info)
        case.check(framework_id.value == scheduler.framework_id, 'another framework id after the failover')
        case.happened('registered again')
        threading.Thread(target=ask, args=(driver,)).start()

    def kept(driver, update, state):
        if update.reason == pb.TaskStatus.REASON_RECONCILIATION and 'task is still there' in case.also_wanted:
            case.check(state == 'TASK_RUNNING', 'the task is %s after the failover' % state)
            case.happened('task is still there')
            driver.killTask(update.task_id)

    scheduler.on_state = {'kept': kept}
    scheduler.registered = registered
    scheduler.disconnected = lambda driver: case.happened('disconnected')
    return drive(case, scheduler, framework('leader', 600.0), master)


if __name__ == '__main__':
    well = globals()['run_' + sys.argv[1]](*sys.argv[2:])
    Case({}).leave(well)
