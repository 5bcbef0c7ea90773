"""Writes the descriptors of Mesos 1.11.0 as text, from the Python 2.7 eggs mesos.scheduler and mesos.interface.

usage: PYTHONPATH=EGGS python2.7 extract.py _scheduler.so > mesos-1.11.0.txt

protoc compiles each file's FileDescriptorProto into the library as a byte string; this finds those strings, so that also
messages which no Python package holds (between master and agent, in checkpoints) are compared. The public ones are held
against the pb2 module of mesos.interface on the way.
"""
import re
import sys

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from mesos.interface import mesos_pb2

TYPES = dict((number, name[5:].lower()) for name, number in FieldDescriptorProto.Type.items())
LABELS = dict((number, name[6:].lower()) for name, number in FieldDescriptorProto.Label.items())

# Other projects' files.
NOT_OURS = ('google/', 'csi/v0/', 'csi/v1/')


def varint(data, at):
    value = shift = 0
    while True:
        byte = ord(data[at])
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def end_of_file_descriptor(data, start):
    """Fields follow each other in ascending order, except repeated ones; whatever breaks that lies behind the end."""
    at, last = start, 0
    while True:
        tag, after = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number < last or (number == last == 1) or number > 12 or wire not in (0, 2):
            return at
        value, after = varint(data, after)
        at, last = (after + value if wire == 2 else after), number


def embedded(data):
    """Every file descriptor in the library, by file name."""
    files = {}
    for match in re.finditer(r'\n([\x01-\x7f])([\w/\-]+\.proto)', data):
        name = match.group(2)[:ord(match.group(1))]
        if not name.endswith('.proto') or len(name) != ord(match.group(1)):
            continue
        end = end_of_file_descriptor(data, match.start())
        found = FileDescriptorProto()
        try:
            found.ParseFromString(data[match.start():end])
        except Exception:
            continue
        # The name also occurs in the dependencies of other files, where no package follows.
        if found.package and (found.message_type or found.enum_type):
            files[name] = found
    return files


def default(field):
    return ' default=%s' % field.default_value.encode('utf-8').encode('string_escape') if field.HasField('default_value') else ''


def write_enum(out, scope, enum):
    name = '%s.%s' % (scope, enum.name)
    out.append('enum %s' % name)
    for value in enum.value:
        out.append('value %s.%s %d' % (name, value.name, value.number))


def write_message(out, scope, message):
    name = '%s.%s' % (scope, message.name)
    out.append('message %s' % name)
    for field in message.field:
        kind = field.type_name.lstrip('.') if field.type_name else TYPES[field.type]
        packed = ' packed' if field.options.packed else ''
        out.append('field %s.%s %d %s %s %s%s%s' % (name, field.name, field.number, LABELS[field.label], TYPES[field.type], kind, packed, default(field)))
    for enum in message.enum_type:
        write_enum(out, name, enum)
    for nested in message.nested_type:
        write_message(out, name, nested)


def lines(files):
    out = []
    for file in files:
        for enum in file.enum_type:
            write_enum(out, file.package, enum)
        for message in file.message_type:
            write_message(out, file.package, message)
    return out


files = embedded(open(sys.argv[1], 'rb').read())
public = FileDescriptorProto()
mesos_pb2.DESCRIPTOR.CopyToProto(public)
assert lines([public]) == lines([files['mesos/mesos.proto']]), 'mesos.interface and mesos.scheduler differ'
for name in sorted(files):
    if not name.startswith(NOT_OURS):
        print('file %s %s' % (name, files[name].syntax or 'proto2'))
        print('\n'.join(lines([files[name]])))
