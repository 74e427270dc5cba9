export const id = 835;
export const ids = [835];
export const modules = {

/***/ 41835:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  sshConnections: () => (/* binding */ sshConnections)
});

// UNUSED EXPORTS: parseSshUrl

// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __webpack_require__(51455);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(76760);
// EXTERNAL MODULE: ./lib/ports/failure.js
var failure = __webpack_require__(69554);
// EXTERNAL MODULE: ./lib/hosts/far/far-host.js + 5 modules
var far_host = __webpack_require__(1863);
// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(48161);
// EXTERNAL MODULE: ./lib/hosts/host-failure.js
var host_failure = __webpack_require__(53486);
;// CONCATENATED MODULE: ./lib/hosts/ssh/connection-folder.js




const prefix = 'mw-ssh-';
/** A socket's path ends at some 104 bytes (unix(7): 108 on Linux), and ssh adds 17 to it while it makes one. */
const longestFolder = 60;
/** A folder path that needs no quoting in an option of ssh, and leaves room for a socket's name. */
function suits(folder) {
    return folder.length <= longestFolder && /^[A-Za-z0-9/._-]+$/.test(folder);
}
function isGone(pid) {
    try {
        process.kill(pid, 0);
        return false;
    }
    catch (error) {
        return (0,host_failure/* errnoOf */.U)(error) === 'ESRCH';
    }
}
/** Runs that were killed leave their folder: sockets that nobody listens on, and public host keys. */
async function removeLeftovers(parent) {
    for (const name of await (0,promises_.readdir)(parent)) {
        const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
        if (pid === undefined || !isGone(Number(pid)))
            continue;
        const path = (0,external_node_path_.join)(parent, name);
        const found = await (0,promises_.lstat)(path);
        if (found.isDirectory() && found.uid === process.geteuid?.()) {
            await (0,promises_.rm)(path, { recursive: true, force: true });
        }
    }
}
/** Makes a private folder (0700, as mkdtemp(3) makes it) for the sockets of one run. */
async function makeConnectionFolder() {
    const parent = [(0,external_node_os_.tmpdir)(), '/tmp'].find(suits) ?? '/tmp';
    await removeLeftovers(parent).catch(() => undefined);
    try {
        return await (0,promises_.mkdtemp)((0,external_node_path_.join)(parent, `${prefix}${process.pid}-`));
    }
    catch (error) {
        throw (0,host_failure/* hostFailure */.t)(error, `make a folder for SSH in ${parent}`, 'No host was contacted.');
    }
}

// EXTERNAL MODULE: ./lib/hosts/local-process.js + 3 modules
var local_process = __webpack_require__(82843);
;// CONCATENATED MODULE: ./lib/hosts/ssh/private-key.js
const magic = 'openssh-key-v1\0';
/** The cipher of a key in OpenSSH's own format (PROTOCOL.key of its sources); `undefined` when it is none. */
function cipherOf(body) {
    const bytes = Buffer.from(body, 'base64');
    if (bytes.subarray(0, magic.length).toString('latin1') !== magic)
        return undefined;
    if (bytes.length < magic.length + 4)
        return undefined;
    const length = bytes.readUInt32BE(magic.length);
    return bytes.subarray(magic.length + 4, magic.length + 4 + length).toString('latin1');
}
/**
 * Looks at a key from a secret. Line ends of Windows, blank lines around it and a missing last line feed are
 * put right: they are what gets lost when a key is pasted into a form.
 */
function readPrivateKey(secret) {
    const text = `${secret.replaceAll('\r', '').trim()}\n`;
    if (/^(?:ssh-|ecdsa-|sk-)\S+ AAAA/.test(text))
        return { kind: 'public' };
    const match = /^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\n([\s\S]+)\n-----END \1-----\n$/.exec(text);
    if (match === null)
        return { kind: 'malformed' };
    const [, label, body = ''] = match;
    if (label === 'ENCRYPTED PRIVATE KEY' || body.includes('Proc-Type: 4,ENCRYPTED')) {
        return { kind: 'encrypted' };
    }
    if (label === 'OPENSSH PRIVATE KEY') {
        const cipher = cipherOf(body);
        if (cipher === undefined)
            return { kind: 'malformed' };
        if (cipher !== 'none')
            return { kind: 'encrypted' };
    }
    return { kind: 'usable', text };
}

;// CONCATENATED MODULE: ./lib/hosts/ssh/key-agent.js



/** Seconds that the agent keeps a key; it is given anew before each login. */
const keyLifeSeconds = 120;
function unusable(problem, next) {
    return new failure/* FailureError */.pO({
        code: 'host-auth-failed',
        message: `The private key for SSH ${problem}.`,
        state: 'No host was contacted with it.',
        next,
    });
}
function usableText(key) {
    const again = 'then run the step again.';
    switch (key.kind) {
        case 'usable':
            return key.text;
        case 'encrypted':
            throw unusable('is protected by a passphrase, which nobody is there to type', `Make a key without one for the window (\`ssh-keygen -t ed25519 -N ''\`), put it into the secret, ${again}`);
        case 'public':
            throw unusable('is a public key', `Put the other half, the file without \`.pub\`, into the secret, ${again}`);
        case 'malformed':
            throw unusable('is not a private key in a format of OpenSSH or PEM', `Put the whole file into the secret, from its BEGIN line to its END line, ${again}`);
    }
}
/**
 * Starts the agent around a child of ours that waits for the end of its input: however we end, SIGKILL
 * included, that input ends, so does the child, and ssh-agent(1) exits with the command that it was given.
 * @throws FailureError `host-auth-failed` when the text is no usable key
 */
async function startKeyAgent(secret, socket, environment) {
    const text = usableText(readPrivateKey(secret));
    const holder = new local_process/* LocalProcess */.D({
        argv: [
            ...['ssh-agent', '-a', socket, 'sh', '-c'],
            'echo "$SSH_AGENT_PID"; exec cat > /dev/null',
        ],
    }, { environment }, true);
    const pid = Number(await holder.nextLine());
    if (!Number.isInteger(pid) || pid <= 1) {
        const { stderr } = await holder.end();
        throw new failure/* FailureError */.pO({
            code: 'host-error',
            message: `ssh-agent could not be started: ${stderr.trim()}.`,
            state: 'No host was contacted.',
            next: 'Install the OpenSSH client where the window runs, then run the step again.',
        });
    }
    const add = async () => {
        const { exitCode, stderr } = await new local_process/* LocalProcess */.D({
            argv: ['ssh-add', '-q', '-t', String(keyLifeSeconds), '-'],
            env: { SSH_AUTH_SOCK: socket, SSH_ASKPASS_REQUIRE: 'never' },
            stdin: text,
            timeoutSeconds: 20,
        }, { environment }, false).result;
        if (exitCode === 0)
            return;
        throw unusable(`was refused by ssh-add: ${stderr.trim().replace(/\s+/g, ' ')}`, 'Check the key with `ssh-keygen -y -f FILE`, put the whole file into the secret, then run the step again.');
    };
    return {
        socket,
        unlock: add,
        close: async () => {
            try {
                // Its parent, our child, has not ended, so that the number is still that of the agent.
                process.kill(pid, 'SIGTERM');
            }
            catch {
                // It is gone already.
            }
            await holder.kill();
        },
    };
}

;// CONCATENATED MODULE: ./lib/hosts/ssh/connection-failure.js

/** The last lines of what ssh printed, as one. */
function lastWords(said) {
    const lines = said
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '' && !/^@+$/.test(line));
    return lines.slice(-3).join(' ').replace(/\.$/, '');
}
const untouched = 'Nothing was done on that host.';
/**
 * Why a login failed, told from ssh's words (it prints them in English only).
 * @param said its standard error and what a login shell printed
 */
function connectionFailure(host, said) {
    const words = lastWords(said);
    const about = (code, message, next) => new failure/* FailureError */.pO({ code, message, state: untouched, next });
    if (/host key for .* has changed|HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY/i.test(said)) {
        const print = /\b(?:SHA256|MD5):\S+?(?=\.?$)/m.exec(said)?.[0];
        return about('host-key-changed', `${host} shows another host key than the one that is known for it${print === undefined ? '' : ` (${print})`}.`, 'Find out on that machine itself whether it was set up anew (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`). If so, put its new key into the known hosts; if not, somebody stands in between: do not go on.');
    }
    if (/host key is known for|Host key verification failed/i.test(said)) {
        return about('host-key-unknown', `The host key of ${host} is not among the known hosts.`, 'Add its line (as `ssh-keyscan` prints it, compared with the key on the machine itself) to the known hosts of the plan or of the account, then run the step again.');
    }
    if (/Permission denied|Too many authentication failures|no mutual signature|Authentication failed/i.test(said)) {
        return about('host-auth-failed', `${host} did not accept our key: ${words}.`, 'Put the public half of the key into ~/.ssh/authorized_keys of that user on that host, check the user in the plan, then run the step again.');
    }
    if (/Bad configuration option|no argument after keyword|Bad owner or permissions|command-line line|Unable to negotiate|no matching/i.test(said)) {
        return about('host-error', `ssh could not log in to ${host}: ${words}.`, 'Correct what ssh names, then run the step again.');
    }
    return about('host-unreachable', `${host} could not be reached: ${words === '' ? 'ssh said nothing' : words}.`, 'Check the name, the port, the network and that the SSH server runs, then run the step again.');
}
/** The login went well, but there is no shell that runs what we ask for. */
function noShell(host, said) {
    const words = lastWords(said);
    return new failure/* FailureError */.pO({
        code: 'host-error',
        message: `The login on ${host} does not run commands: ${words === '' ? 'it printed nothing' : words}.`,
        state: untouched,
        next: 'Give that user a login shell, without a forced command, then run the step again.',
    });
}
/** The server takes fewer sessions on a connection than we need. */
function sessionRefused(host) {
    return new failure/* FailureError */.pO({
        code: 'host-error',
        message: `The SSH server of ${host} refused another session on a connection.`,
        state: 'The command was not started.',
        next: 'Set MaxSessions to 10 (its default) or more in its sshd_config, then run the step again.',
    });
}
/** The connection went while a command ran, or was about to. */
function cutOff(host, program, said) {
    const words = lastWords(said);
    return new failure/* FailureError */.pO({
        code: 'host-unreachable',
        message: `The connection to ${host} was lost while \`${program}\` ran${words === '' ? '' : `: ${words}`}.`,
        state: 'What it did there up to then is unknown, and it may still be running.',
        next: 'When the host can be reached again, look whether it still runs; then run the phase again or `rollback`, which look at what is there.',
    });
}
/** ssh is not where the window runs. */
function noClient(error) {
    return new failure/* FailureError */.pO({
        code: 'host-error',
        message: `ssh could not be started: ${error.message}.`,
        state: untouched,
        next: 'Install the OpenSSH client where the window runs, then run the step again.',
    }, { cause: error });
}

;// CONCATENATED MODULE: ./lib/hosts/ssh/ssh-arguments.js
/** What the two kinds of ssh that we start have in common: nobody is asked, and nothing but a shell is opened. */
const plain = [
    // Options that older versions lack must not stop them.
    ...['IgnoreUnknown=SessionType,StdinNull,ForkAfterAuthentication,UpdateHostKeys'],
    ...['BatchMode=yes', 'LogLevel=ERROR', 'RequestTTY=no', 'EscapeChar=none'],
    ...['SessionType=default', 'StdinNull=no', 'ForkAfterAuthentication=no', 'RemoteCommand=none'],
    ...['ForwardAgent=no', 'ForwardX11=no', 'ClearAllForwardings=yes', 'Tunnel=no'],
    ...['PermitLocalCommand=no', 'ControlPersist=no'],
].flatMap((option) => ['-o', option]);
/** A master's word that login, shell and connection work; then it waits for the end of its input, which is our end. */
const readyWord = 'maintenance-window-is-connected';
const waitForOurEnd = `exec sh -c 'echo ${readyWord} && exec cat > /dev/null'`;
/** Printed in place of connecting when there is no master to be asked. */
const noMasterWord = 'maintenance-window-has-no-connection';
/**
 * The ssh that logs in and carries the others. On the command line, options win over those of a configuration
 * file (ssh_config(5)). A cut network is noticed after ServerAliveInterval × (ServerAliveCountMax + 1) seconds.
 */
function masterArguments(settings) {
    const { address, agentSocket, knownHostsFile } = settings;
    const options = [
        ...['StrictHostKeyChecking=yes', 'UpdateHostKeys=no', 'NumberOfPasswordPrompts=0'],
        ...['AddKeysToAgent=no', 'ServerAliveInterval=5', 'ServerAliveCountMax=2', 'TCPKeepAlive=yes'],
        ...[`ConnectTimeout=${Math.max(1, Math.ceil(settings.connectTimeoutSeconds))}`],
        ...['ConnectionAttempts=1', 'ControlMaster=yes', `ControlPath=${settings.controlPath}`],
        ...(agentSocket === undefined
            ? []
            : [
                ...[`IdentityAgent=${agentSocket}`, 'IdentityFile=none', 'IdentitiesOnly=no'],
                ...['PreferredAuthentications=publickey'],
            ]),
        ...(knownHostsFile === undefined
            ? []
            : [`UserKnownHostsFile=${knownHostsFile}`, 'GlobalKnownHostsFile=/dev/null']),
    ].flatMap((option) => ['-o', option]);
    return [
        'ssh',
        // A key of ours logs in where the plan says, whatever the account's configuration would make of it.
        ...(agentSocket === undefined ? [] : ['-F', 'none']),
        ...plain,
        ...options,
        ...(address.user === undefined ? [] : ['-l', address.user]),
        ...(address.port === undefined ? [] : ['-p', String(address.port)]),
        ...['--', address.host, waitForOurEnd],
    ];
}
/** An ssh that opens one channel over a master, and never a connection of its own. */
function channelArguments(controlPath, command) {
    const options = [
        ...['ControlMaster=no', `ControlPath=${controlPath}`],
        // ssh(1) would connect by itself when the master is gone. A shell of its own says the word before it lets go of
        // its standard output; from then on ssh may end it at any moment.
        ...[`ProxyCommand=sh -c "echo ${noMasterWord} >&2"`],
    ].flatMap((option) => ['-o', option]);
    return ['ssh', '-F', 'none', ...plain, ...options, '--', 'master', command];
}

;// CONCATENATED MODULE: ./lib/hosts/ssh/master.js




/** Seconds beyond the connect timeout for what it does not cover: the login itself. */
const loginSeconds = 20;
const probeSeconds = 5;
/** One authenticated connection, held by an ssh of ours, over which others open their channels. */
class Master {
    controlPath;
    #process;
    #environment;
    #ended;
    constructor(controlPath, process, environment) {
        this.controlPath = controlPath;
        this.#process = process;
        this.#environment = environment;
        void process.result.then(({ stderr }) => (this.#ended = { said: stderr }), (error) => (this.#ended = { said: String(error) }));
    }
    /**
     * Logs in. Resolves when a shell has answered there, which is after the control socket was made.
     * @param name the host's, for messages
     * @param signal ends the login and the connection
     * @throws FailureError `host-unreachable`, `host-key-unknown`, `host-key-changed`, `host-auth-failed`, `host-error`
     */
    static async connect(name, settings, env, environment, signal) {
        const process = new local_process/* LocalProcess */.D({ argv: masterArguments(settings), env }, { environment, signal }, true);
        const limit = settings.connectTimeoutSeconds + loginSeconds;
        const clock = { late: false };
        const timer = setTimeout(() => {
            clock.late = true;
            void process.kill();
        }, limit * 1000);
        let printed = '';
        try {
            for (let line = await process.nextLine(); line !== undefined; line = await process.nextLine()) {
                if (line === readyWord)
                    return new Master(settings.controlPath, process, environment);
                printed = `${printed}${line}\n`.slice(-4096);
            }
        }
        finally {
            clearTimeout(timer);
        }
        const { exitCode, stderr } = await process.end();
        if (clock.late)
            throw connectionFailure(name, `the login was not over within ${limit} seconds`);
        // 255 is ssh's own (ssh(1), EXIT STATUS), 127 that of a program that is not there; the rest is the shell's.
        if (exitCode === 255)
            throw connectionFailure(name, stderr);
        if (exitCode === 127 && stderr.startsWith('ssh: program not found')) {
            throw new failure/* FailureError */.pO({
                code: 'host-error',
                message: 'The program ssh is not installed where the window runs.',
                state: 'Nothing was done on that host.',
                next: 'Install the OpenSSH client, then run the step again.',
            });
        }
        throw noShell(name, `${printed}${stderr}`);
    }
    /** What ssh said at its end; `undefined` while the connection stands, as far as it knows. */
    get ended() {
        return this.#ended;
    }
    /** Whether the host still answers over this connection. */
    async answers() {
        if (this.#ended !== undefined)
            return false;
        const { exitCode } = await new local_process/* LocalProcess */.D({ argv: channelArguments(this.controlPath, 'exec true'), timeoutSeconds: probeSeconds }, { environment: this.#environment }, false).result;
        return exitCode === 0;
    }
    async close() {
        await this.#process.kill();
    }
}

// EXTERNAL MODULE: ./lib/hosts/command-failure.js
var command_failure = __webpack_require__(24445);
// EXTERNAL MODULE: ./lib/hosts/far/supervisor.js + 1 modules
var supervisor = __webpack_require__(57715);
// EXTERNAL MODULE: ./lib/hosts/sudo-command.js
var sudo_command = __webpack_require__(46);
;// CONCATENATED MODULE: ./lib/hosts/ssh/slots.js
/** So many at once; who comes later waits for a place, first come first served. */
class Slots {
    #free;
    #waiting = [];
    constructor(count) {
        this.#free = count;
    }
    /** Takes a place only when one is free now. */
    tryTake() {
        if (this.#free === 0)
            return false;
        this.#free -= 1;
        return true;
    }
    /** Waits for a place; rejects with the signal's reason when it fires first, and then holds none. */
    async take(signal) {
        signal?.throwIfAborted();
        if (this.tryTake())
            return;
        await new Promise((resolve, reject) => {
            const place = () => {
                signal?.removeEventListener('abort', onAbort);
                resolve();
            };
            const onAbort = () => {
                this.#waiting.splice(this.#waiting.indexOf(place), 1);
                reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
            };
            signal?.addEventListener('abort', onAbort, { once: true });
            this.#waiting.push(place);
        });
    }
    /** Gives a place back, to who waits longest. */
    release() {
        const next = this.#waiting.shift();
        if (next === undefined)
            this.#free += 1;
        else
            next();
    }
}

;// CONCATENATED MODULE: ./lib/hosts/ssh/route.js






/**
 * Channels on one connection: sshd takes ten sessions (MaxSessions, sshd_config(5)). The master has one, and one
 * is kept for ending what the others run.
 */
const channelsEach = 8;
/** One connection that is made when it is needed, and made again when it was lost. */
class Line {
    slots = new Slots(channelsEach);
    control = new Slots(1);
    #connect;
    #master;
    constructor(connect) {
        this.#connect = connect;
    }
    async master() {
        const known = await this.#master?.catch(() => undefined);
        if (known !== undefined && known.ended === undefined)
            return known;
        return this.#renew(known);
    }
    /** Others may have found it ended at the same time: one of them connects. */
    async #renew(old) {
        if (this.#renewal?.old === old && this.#renewal !== undefined)
            return this.#renewal.master;
        const master = this.#connect();
        this.#renewal = { old, master };
        this.#master = master;
        master.catch(() => {
            // The next command may try again.
            if (this.#master === master)
                this.#forgetAll();
        });
        return master;
    }
    #renewal;
    #forgetAll() {
        this.#master = undefined;
        this.#renewal = undefined;
    }
    /** Nobody is to use this connection any more; who does, may go on. */
    async forget(master) {
        if ((await this.#master?.catch(() => undefined)) === master)
            this.#forgetAll();
    }
}
/** All connections to one login: one for commands, and as many as needed for sessions that stay open. */
class Route {
    #name;
    #connect;
    #commands;
    #sessions = [];
    constructor(name, connect) {
        this.#name = name;
        this.#connect = connect;
        this.#commands = new Line(connect);
    }
    carrier(sudo) {
        const prefix = sudo ? `exec ${sudo_command/* sudoArguments */.Y.join(' ')} ` : 'exec ';
        const command = supervisor/* loaderCommand */.r0.replace(/^exec /, prefix);
        return {
            name: this.#name,
            open: async (kind, program, signal) => {
                const { line, release } = await this.#place(kind, program, signal);
                try {
                    const master = await unlessCancelled(line.master(), program, signal);
                    return this.#channel(line, master, command, sudo, program, release);
                }
                catch (error) {
                    release();
                    throw error;
                }
            },
        };
    }
    async #place(kind, program, signal) {
        if (kind === 'session') {
            // Sessions wait for nobody: who holds one may need another before letting go.
            let line = this.#sessions.find(({ slots }) => slots.tryTake());
            if (line === undefined) {
                line = new Line(this.#connect);
                line.slots.tryTake();
                this.#sessions.push(line);
            }
            const { slots } = line;
            return { line, release: once(() => slots.release()) };
        }
        const line = this.#commands;
        const slots = kind === 'control' ? line.control : line.slots;
        await slots.take(signal).catch(() => {
            throw (0,command_failure/* cancelled */.KW)(program);
        });
        return { line, release: once(() => slots.release()) };
    }
    #channel(line, master, command, sudo, program, release) {
        return {
            argv: channelArguments(master.controlPath, command),
            env: {},
            silence: async (end, said) => {
                if (end.error !== undefined)
                    return noClient(end.error);
                if (said.includes('open refused by peer'))
                    return sessionRefused(this.#name);
                if (said.includes(noMasterWord)) {
                    await line.forget(master);
                    return 'again';
                }
                // The header may have arrived all the same.
                if (end.exitCode === 255 || end.exitCode === null) {
                    return cutOff(this.#name, program, `${said}\n${master.ended?.said ?? ''}`);
                }
                return sudo ? (0,sudo_command/* sudoRefused */.U)(this.#name, said) : noShell(this.#name, said);
            },
            broken: async (name) => {
                if (await master.answers())
                    return undefined;
                await line.forget(master);
                return cutOff(this.#name, name, master.ended?.said ?? '');
            },
            close: release,
        };
    }
}
function once(action) {
    let done = false;
    return () => {
        if (!done)
            action();
        done = true;
    };
}
/** A connection in the making goes on: others may wait for it too. */
async function unlessCancelled(work, program, signal) {
    if (signal === undefined)
        return work;
    let onAbort = () => undefined;
    const aborted = new Promise((_resolve, reject) => {
        onAbort = () => reject((0,command_failure/* cancelled */.KW)(program));
        if (signal.aborted)
            onAbort();
        else
            signal.addEventListener('abort', onAbort, { once: true });
    });
    work.catch(() => undefined);
    try {
        return await Promise.race([work, aborted]);
    }
    finally {
        signal.removeEventListener('abort', onAbort);
    }
}

;// CONCATENATED MODULE: ./lib/hosts/ssh/ssh-url.js
// Neither may begin with a dash (it would be an option), nor hold a character that ssh gives a meaning to
// (% tokens, @, spaces). Names in other scripts are given in their xn-- form.
const hostName = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?$/;
const ipv6 = /^\[([0-9A-Fa-f:.]{2,45})\]$/;
const userName = /^[A-Za-z0-9_][A-Za-z0-9_.+$-]{0,127}$/;
/**
 * Reads `ssh://user@host:port`; user and port are optional, an IPv6 address stands in brackets.
 * @returns `undefined` for anything else: another scheme, a password, a path
 */
function parseSshUrl(url) {
    const match = /^ssh:\/\/(?:([^@/]*)@)?(\[[^\]@/]*\]|[^:@/[\]]*)(?::(\d{1,5}))?\/?$/.exec(url);
    if (match === null)
        return undefined;
    const [, user, name = '', portText] = match;
    const host = ipv6.exec(name)?.[1] ?? name;
    if (host === name && !hostName.test(host))
        return undefined;
    if (user !== undefined && !userName.test(user))
        return undefined;
    const port = portText === undefined ? undefined : Number(portText);
    if (port !== undefined && (port < 1 || port > 65_535))
        return undefined;
    return {
        host,
        ...(user === undefined ? {} : { user }),
        ...(port === undefined ? {} : { port }),
    };
}

;// CONCATENATED MODULE: ./lib/hosts/ssh.js










/** Hosts that are reached by the system's OpenSSH client; see docs/adr/0012-ssh-hosts.md. */
function sshConnections(options) {
    return new Pool(options);
}
class Pool {
    #options;
    #routes = new Map();
    #agents = new Map();
    #masters = new Set();
    #folder;
    #files = 0;
    #closing = new AbortController();
    constructor(options) {
        this.#options = options;
    }
    host(settings) {
        const address = parseSshUrl(settings.url) ?? notAnAddress(settings.url);
        // With or without sudo, it is the same login.
        const { url, privateKey, knownHosts, connectTimeoutSeconds } = settings;
        const key = JSON.stringify([url, privateKey, knownHosts, connectTimeoutSeconds]);
        const route = this.#routes.get(key) ?? new Route(url, () => this.#connect(settings, address));
        this.#routes.set(key, route);
        return (0,far_host/* farHost */.e)(route.carrier(settings.sudo), this.#options);
    }
    async #connect(settings, address) {
        if (this.#closing.signal.aborted)
            throw ssh_closed(settings.url);
        const connecting = this.#login(settings, address);
        this.#masters.add(connecting);
        try {
            return await connecting;
        }
        catch (error) {
            this.#masters.delete(connecting);
            throw error;
        }
    }
    async #login(settings, address) {
        const { environment } = this.#options;
        const { privateKey, knownHosts, url, connectTimeoutSeconds } = settings;
        const agent = privateKey === undefined ? undefined : await this.#agent(privateKey);
        await agent?.unlock();
        const controlPath = await this.#path('c');
        const knownHostsFile = knownHosts === undefined ? undefined : await this.#path('k');
        if (knownHosts !== undefined && knownHostsFile !== undefined) {
            await (0,promises_.writeFile)(knownHostsFile, `${knownHosts.replaceAll('\r', '')}\n`, { mode: 0o600 });
        }
        const own = environment.SSH_AUTH_SOCK;
        return Master.connect(url, { address, controlPath, agentSocket: agent?.socket, knownHostsFile, connectTimeoutSeconds }, agent === undefined && own !== undefined ? { SSH_AUTH_SOCK: own } : {}, environment, this.#closing.signal);
    }
    async #agent(privateKey) {
        let agent = this.#agents.get(privateKey);
        if (agent === undefined) {
            agent = this.#path('a').then((socket) => startKeyAgent(privateKey, socket, this.#options.environment));
            this.#agents.set(privateKey, agent);
            agent.catch(() => this.#agents.delete(privateKey));
        }
        return agent;
    }
    /** A name in the private folder that nobody had before: what a dead process left is never taken for a live one. */
    async #path(kind) {
        this.#folder ??= makeConnectionFolder();
        const folder = await this.#folder;
        return (0,external_node_path_.join)(folder, `${kind}${(this.#files += 1)}`);
    }
    async close() {
        this.#closing.abort();
        const settled = async (all) => {
            const ends = [...all].map(async (one) => (await one.catch(() => undefined))?.close());
            await Promise.all(ends);
        };
        await settled(this.#masters);
        await settled(this.#agents.values());
        this.#masters.clear();
        this.#agents.clear();
        const folder = await this.#folder?.catch(() => undefined);
        if (folder !== undefined)
            await (0,promises_.rm)(folder, { recursive: true, force: true });
    }
}
function notAnAddress(url) {
    return (0,failure/* fail */.fJ)({
        code: 'host-error',
        message: `${JSON.stringify(url)} is no address of an SSH host.`,
        state: 'Nothing was touched.',
        next: 'Give `ssh://user@host:port` (user and port may be left out), the name in ASCII letters.',
    });
}
function ssh_closed(url) {
    return new failure/* FailureError */.pO({
        code: 'host-unreachable',
        message: `The connections of this run are closed; ${url} can no longer be asked.`,
        state: 'Nothing was done on that host.',
        next: 'Run the step again.',
    });
}


/***/ })

};
