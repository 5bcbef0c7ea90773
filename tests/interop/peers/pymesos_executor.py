"""A custom executor on pymesos (V1 HTTP, JSON): echoes each task's data, and each message it is sent."""
import logging
import threading
import time

from addict import Dict
from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data

logging.basicConfig(level=logging.INFO)


class Echo(Executor):
    def registered(self, driver, executor_info, framework_info, agent_info):
        assert executor_info.executor_id.value and framework_info.id.value and agent_info.hostname

    def launchTask(self, driver, task):
        threading.Thread(target=self.carry_out, args=(driver, task)).start()

    def carry_out(self, driver, task):
        for state in ('TASK_RUNNING', 'TASK_FINISHED'):
            update = Dict()
            update.task_id.value = task.task_id.value
            update.state = state
            update.timestamp = time.time()
            update.data = encode_data(b'echo ' + decode_data(task.data))
            driver.sendStatusUpdate(update)
            # Two updates of one task close together prove that they are kept in order.

    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(encode_data(b'echo ' + decode_data(message)))

    def shutdown(self, driver):
        print('told to shut down')


MesosExecutorDriver(Echo(), use_addict=True).run()
