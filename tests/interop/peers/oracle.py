"""Hosts a real Mesos 1.11.0 master and agent in this process, on one loopback port, until its stdin ends.

The scheduler driver starts a cluster of its own when its master is called "local". The framework that comes with it has
a failover timeout that no master takes, so the cluster lives on and has never had a framework.
"""
import sys

import mesos.interface
from mesos.interface import mesos_pb2
from mesos.scheduler import MesosSchedulerDriver


class Refused(mesos.interface.Scheduler):
    def error(self, driver, message):
        print("the master answers: " + message)
        sys.stdout.flush()


framework = mesos_pb2.FrameworkInfo(user="root", name="host", failover_timeout=-1e300)
driver = MesosSchedulerDriver(Refused(), framework, "local", 1)
driver.start()
sys.stdin.read()
