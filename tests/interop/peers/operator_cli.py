"""The Mesos command line (avmesos-cli): what an operator lists.

usage: operator_cli.py MASTER
"""
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

from verdict import Case

master = sys.argv[1]
case = Case({})
config = tempfile.NamedTemporaryFile('w', suffix='.toml')
config.write('[master]\naddress = "%s"\n' % master)
config.flush()
# Its starter script takes `python` from the PATH.
environment = dict(os.environ, MESOS_CLI_CONFIG=config.name, PATH=os.path.dirname(sys.executable) + ':' + os.environ['PATH'])


def mesos(*words):
    ended = subprocess.run(['mesos-cli'] + list(words), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    case.say('mesos-cli', *words)
    case.say(ended.stdout)
    case.check(ended.returncode == 0, 'mesos-cli %s ended with %d' % (' '.join(words), ended.returncode))
    return ended.stdout


agents = json.load(urllib.request.urlopen('http://%s/slaves' % master))['slaves']
listed = mesos('agent', 'list')
for agent in agents:
    case.check(agent['id'] in listed, 'agent %s is not listed' % agent['id'])
mesos('framework', 'list')
mesos('task', 'list')
case.done.set()
case.leave(case.wait())
