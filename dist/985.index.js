export const id = 985;
export const ids = [985];
export const modules = {

/***/ 89985:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  runCommandLine: () => (/* binding */ runCommandLine)
});

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(48161);
// EXTERNAL MODULE: ./lib/actions/catalogue.js + 190 modules
var catalogue = __webpack_require__(4011);
// EXTERNAL MODULE: ./lib/runner/cancellation.js
var cancellation = __webpack_require__(93147);
// EXTERNAL MODULE: ./lib/runner/failure-text.js
var failure_text = __webpack_require__(40438);
// EXTERNAL MODULE: external "node:util"
var external_node_util_ = __webpack_require__(57975);
// EXTERNAL MODULE: ./lib/plan/actions.js
var actions = __webpack_require__(21604);
// EXTERNAL MODULE: ./lib/plan/nearest.js
var nearest = __webpack_require__(36089);
// EXTERNAL MODULE: ./lib/plan/setting-types.js
var setting_types = __webpack_require__(60075);
;// CONCATENATED MODULE: ./lib/cli/flags.js




/** The flags of a command are the inputs of its action, and `--plan`. */
function flagsOf(id) {
    return [
        { name: 'plan', description: 'Path of the plan file.', takesValue: true },
        ...(0,actions/* inputsOf */.Vc)(id).map((input) => {
            const meta = (0,setting_types/* metaOf */.fX)(input.type);
            return { name: input.name, description: meta.description, takesValue: meta.form !== 'flag' };
        }),
    ];
}
/** Reads the arguments of a command; a flag may be given as `--name value` or `--name=value`. */
function readFlags(id, args) {
    const flags = flagsOf(id);
    const options = Object.fromEntries(flags.map((flag) => [
        flag.name,
        { type: flag.takesValue ? 'string' : 'boolean' },
    ]));
    if (args.includes('--help') || args.includes('-h'))
        return { kind: 'help' };
    for (const arg of args.filter((entry) => entry.startsWith('--'))) {
        const name = arg.slice(2).split('=')[0] ?? '';
        if (Object.hasOwn(options, name))
            continue;
        const suggestion = (0,nearest/* nearest */.p)(name, flags.map((flag) => flag.name));
        const hint = suggestion === undefined ? 'see --help' : `did you mean --${suggestion}?`;
        return { kind: 'wrong', message: `unknown flag --${name}; ${hint}` };
    }
    try {
        const { values } = (0,external_node_util_.parseArgs)({
            args: [...args],
            options,
            strict: true,
            allowPositionals: false,
        });
        const inputs = Object.entries(values).map(([name, value]) => [name, String(value)]);
        return { kind: 'read', inputs: Object.fromEntries(inputs) };
    }
    catch (error) {
        return { kind: 'wrong', message: error instanceof Error ? error.message : String(error) };
    }
}

// EXTERNAL MODULE: ./lib/plan/duration.js
var duration = __webpack_require__(27043);
;// CONCATENATED MODULE: ./lib/cli/terminal-progress.js

const marks = { done: '✔', skipped: '–', failed: '✘' };
/** Live progress on a terminal, one line an event, with the time of day. */
function terminalProgress(write, now) {
    const line = (mark, text) => {
        write(`${now().toISOString().slice(11, 19)} ${mark} ${text}\n`);
    };
    return {
        info: (text) => {
            line(' ', `  ${text}`);
        },
        warning: (text) => {
            line('!', text);
        },
        begin: (phase, step, title) => {
            line('…', `${phase} ${step}: ${title}`);
        },
        end: (phase, step, outcome, detail, seconds) => {
            const time = seconds > 0 ? ` (${(0,duration/* formatDuration */.a3)(seconds)})` : '';
            line(marks[outcome], `${phase} ${step}: ${detail}${time}`);
        },
    };
}

// EXTERNAL MODULE: ./lib/assembly/settings.js + 5 modules
var settings = __webpack_require__(38468);
// EXTERNAL MODULE: ./lib/assembly/window-session.js + 4 modules
var window_session = __webpack_require__(68417);
// EXTERNAL MODULE: ./lib/record/life.js
var life = __webpack_require__(60859);
// EXTERNAL MODULE: ./lib/record/owed-by-reopening.js
var owed_by_reopening = __webpack_require__(83816);
// EXTERNAL MODULE: ./lib/record/restore-point.js
var restore_point = __webpack_require__(80424);
// EXTERNAL MODULE: ./lib/record/standby.js
var standby = __webpack_require__(51360);
;// CONCATENATED MODULE: ./lib/cli/window-status.js






/** Tells where the window stands and what is left to do; touches nothing. */
function windowStatus(surroundings) {
    return (0,window_session/* guarded */.Nj)(surroundings, async (machines) => {
        const { plan, known } = await (0,settings/* assembleSettings */.Q)('report', surroundings, machines);
        if (known === undefined) {
            const reason = `there is no window of the name ${plan.name ?? ''} under ${plan.stateDir}`;
            return { outcome: { kind: 'skipped', reason, outputs: {} }, outputs: {} };
        }
        return {
            outcome: {
                kind: 'done',
                detail: describeRecord(known, plan.disableMaintenance.hook),
                outputs: {},
            },
            outputs: { 'window-id': known.status.windowId, state: known.status.state },
        };
    });
}
/** A record for an operator: state, who holds it, what happened last, what to do. */
function describeRecord({ status, journal }, hook = 'remove') {
    const lines = [
        `window ${status.windowId} of ${status.name} is ${status.state} since ${status.updatedAt}`,
        `run ${status.run.url ?? status.run.id}${status.run.actor === undefined ? '' : `, started by ${status.run.actor}`}; planned until ${status.deadline}`,
        `worst change begun: ${status.blast}; restore point: ${restorePointInWords(status)}; backup: ${status.backup?.directory ?? 'none'}`,
        ...standbyInWords(status),
        ...journal
            .slice(-10)
            .map((line) => `  ${line.at} ${line.event.padEnd(7)} ${line.phase} ${line.step}: ${line.detail ?? line.title}`),
    ];
    const last = journal.at(-1);
    if (last?.event === 'intent')
        lines.push(`interrupted in ${last.phase} ${last.step}: its effect is looked at by the next run`);
    lines.push(leftToDo(status, hook));
    return lines.join('\n');
}
function restorePointInWords({ restorePoint: point }) {
    if (point === undefined)
        return 'none';
    if (point.droppedAt !== undefined)
        return `${point.kind}, dropped at ${point.droppedAt}`;
    return point.keptUntil === undefined
        ? point.kind
        : `${point.kind} ${(0,restore_point/* placeOf */.$t)(point)}, kept until ${point.keptUntil}`;
}
function standbyInWords(status) {
    const owed = (0,standby/* owedStandby */.n0)(status);
    if (owed === undefined)
        return [];
    const { dataDirectory, host } = owed.replica;
    return [`replica of this window, stopped or about to be: ${dataDirectory} on ${host}`];
}
function leftToDo(status, hook) {
    if ((0,life/* isObliged */.Vm)(status.state))
        return 'left to do: `maintenance-window rollback` makes it safe';
    const owed = (0,owed_by_reopening/* owedInWords */.Q)((0,owed_by_reopening/* owedByReopening */.q)(status, hook));
    if (owed.length > 0)
        return `left to do: ${owed.join('; ')}; \`maintenance-window rollback\` does it, and leaves the site open`;
    return status.state === 'prepared'
        ? 'the site was not closed; unless its run goes on, `maintenance-window rollback` takes the preparations back'
        : 'nothing is left to do';
}

;// CONCATENATED MODULE: ./lib/cli/command-line.js







const commands = {
    run: {
        id: 'maintenance-window',
        description: 'Runs a whole window: preflight, backup, 503, tasks, smoke tests, reopening or rollback, report.',
        run: runWhole,
    },
    status: {
        id: 'report',
        description: 'Tells where the window stands and what is left to do.',
        run: windowStatus,
    },
    rollback: {
        id: 'rollback',
        description: 'Makes the system safe from the record alone.',
        run: catalogue/* actions */.o.rollback,
    },
    report: {
        id: 'report',
        description: 'Writes the report and closes the books.',
        run: catalogue/* actions */.o.report,
    },
};
/**
 * The command line, for rehearsals and for the night when GitHub is down.
 * @returns the exit code: 0 done or nothing to do, 1 failed, 2 wrong usage
 */
async function runCommandLine(argv) {
    const [name = '', ...args] = argv;
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined) {
        const asked = ['', 'help', '--help', '-h'].includes(name);
        (asked ? process.stdout : process.stderr).write(usage(asked ? undefined : name));
        return asked ? 0 : 2;
    }
    const flags = readFlags(command.id, args);
    if (flags.kind === 'help') {
        process.stdout.write(help(name, command));
        return 0;
    }
    if (flags.kind === 'wrong') {
        process.stderr.write(`maintenance-window ${name}: ${flags.message}\n`);
        return 2;
    }
    const { signal, release } = (0,cancellation/* cancellation */.W)();
    try {
        return show(await command.run(surroundingsOf(flags.inputs, signal)));
    }
    finally {
        release();
    }
}
/** A window and what follows it in any case, as the root action's step and post step. */
async function runWhole(surroundings) {
    const result = await catalogue/* actions */.o['maintenance-window'](surroundings);
    const windowId = result.outputs['window-id'];
    const post = catalogue/* postActions */.A['maintenance-window'];
    // Refused before a record was opened: nothing to make safe, nothing to report.
    if (windowId === undefined || post === undefined) {
        if (result.summary !== undefined)
            process.stdout.write(`\n${result.summary}\n\n`);
        return result;
    }
    const after = await post({
        ...surroundings,
        // The window may have been cancelled; making it safe must not be.
        signal: new AbortController().signal,
    });
    return {
        outcome: together(result.outcome, after.outcome),
        outputs: { ...result.outputs, ...after.outputs },
    };
}
/** A window and what followed it: a failure stays one, told with how things stand after it was made safe. */
function together(window, after) {
    if (window.kind !== 'failed')
        return after;
    if (window.failure.code !== 'cancelled' || after.kind === 'failed')
        return window;
    return {
        ...window,
        failure: {
            ...window.failure,
            state: 'What the window had begun was taken back; the report tells how.',
            next: 'Start a new window when you are ready.',
        },
    };
}
function surroundingsOf(inputs, signal) {
    const { username } = (0,external_node_os_.userInfo)();
    return {
        inputs,
        environment: process.env,
        workspace: process.cwd(),
        run: {
            id: `cli-${username}-${Date.now().toString(36)}-${process.pid}`,
            attempt: 1,
            actor: username,
        },
        progress: terminalProgress((text) => process.stdout.write(text), () => new Date()),
        signal,
        // A terminal has no log to mask; nothing prints secrets.
        mask: () => undefined,
        github: undefined,
    };
}
function show({ outcome, outputs }) {
    const shown = Object.entries(outputs).filter(([name]) => name !== 'record');
    for (const [name, value] of shown)
        process.stdout.write(`${name}: ${value}\n`);
    switch (outcome.kind) {
        case 'done':
            process.stdout.write(`Done: ${outcome.detail}\n`);
            return 0;
        case 'skipped':
            process.stdout.write(`Nothing to do: ${outcome.reason}\n`);
            return 0;
        case 'failed':
            process.stderr.write(`Failed (${outcome.failure.code}): ${(0,failure_text/* describeFailure */.I)(outcome.failure)}\n`);
            return 1;
    }
}
function usage(unknown) {
    const head = unknown === undefined ? '' : `There is no command "${unknown}".\n\n`;
    const list = Object.entries(commands).map(([name, { description }]) => `  ${name.padEnd(10)} ${description}`);
    return `${head}Usage: maintenance-window COMMAND --plan FILE [flags]\n\n${list.join('\n')}\n\nmaintenance-window COMMAND --help lists the flags.\n`;
}
function help(name, command) {
    const flags = flagsOf(command.id).map((flag) => `  --${flag.name}${flag.takesValue ? ' VALUE' : ''}\n      ${flag.description}`);
    return `maintenance-window ${name}: ${command.description}\n\n${flags.join('\n')}\n`;
}


/***/ })

};
