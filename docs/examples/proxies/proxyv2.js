// Begins each connection to the gateway with a PROXY v2 header. nginx itself writes version 1 alone, which the gateway does not read.
const SIGNATURE = '0d0a0d0a000d0a515549540a';

function number(value) {
    const two = Buffer.alloc(2);
    two.writeUInt16BE(value);
    return two;
}

function header(session) {
    session.on('upstream', function (data, flags) {
        const client = session.rawVariables.binary_remote_addr;
        const family = client.length === 4 ? '11' : '21';
        const body = Buffer.concat([
            client, Buffer.alloc(client.length),  // to which address the client connected is of no use to the gateway
            number(Number(session.variables.remote_port)), number(Number(session.variables.server_port)),
        ]);
        const prefix = Buffer.from(SIGNATURE + '21' + family, 'hex');
        session.send(Buffer.concat([prefix, number(body.length), body, data]), flags);
        session.off('upstream');
    });
}

export default {header};
