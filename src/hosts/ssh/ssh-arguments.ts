import type { SshAddress } from './ssh-url.ts';

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
export const readyWord = 'maintenance-window-is-connected';
const waitForOurEnd = `exec sh -c 'echo ${readyWord} && exec cat > /dev/null'`;

/** Printed in place of connecting when there is no master to be asked. */
export const noMasterWord = 'maintenance-window-has-no-connection';

export interface MasterSettings {
  readonly address: SshAddress;
  readonly controlPath: string;
  /** Socket of the agent with the key; without one, OpenSSH uses the user's own keys, agent and configuration. */
  readonly agentSocket: string | undefined;
  readonly knownHostsFile: string | undefined;
  readonly connectTimeoutSeconds: number;
}

/**
 * The ssh that logs in and carries the others. On the command line, options win over those of a configuration
 * file (ssh_config(5)). A cut network is noticed after ServerAliveInterval × (ServerAliveCountMax + 1) seconds.
 */
export function masterArguments(settings: MasterSettings): [string, ...string[]] {
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
export function channelArguments(controlPath: string, command: string): [string, ...string[]] {
  const options = [
    ...['ControlMaster=no', `ControlPath=${controlPath}`],
    // ssh(1) would connect by itself when the master is gone. A shell of its own says the word before it lets go of
    // its standard output; from then on ssh may end it at any moment.
    ...[`ProxyCommand=sh -c "echo ${noMasterWord} >&2"`],
  ].flatMap((option) => ['-o', option]);
  return ['ssh', '-F', 'none', ...plain, ...options, '--', 'master', command];
}
