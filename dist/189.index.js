export const id = 189;
export const ids = [189];
export const modules = {

/***/ 40189:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  githubRest: () => (/* binding */ githubRest)
});

// EXTERNAL MODULE: ./lib/clock/system-clock.js
var system_clock = __webpack_require__(38086);
// EXTERNAL MODULE: ./lib/ports/failure.js
var failure = __webpack_require__(69554);
;// CONCATENATED MODULE: ./lib/github/api-reply.js

/** Requests that are made at most, the first one included. */
const attemptLimit = 3;
/** Seconds that are waited at most before one of them; who is told to wait longer gives up. */
const longestWaitSeconds = 60;
function isRateLimit(problem) {
    if (problem.status !== 403 && problem.status !== 429)
        return false;
    return (problem.status === 429 ||
        problem.headers['retry-after'] !== undefined ||
        problem.headers['x-ratelimit-remaining'] === '0' ||
        /rate limit/i.test(problem.message));
}
/**
 * Seconds to wait before the request is made again; `undefined` when it is not worth it. Pure.
 * "Best practices for using the REST API": `retry-after` first, then `x-ratelimit-reset`, otherwise a minute.
 * @param attempt how often the request was made, from 1
 */
function retryDelaySeconds(problem, attempt, now) {
    if (attempt >= attemptLimit)
        return undefined;
    if (problem.status === undefined || problem.status >= 500)
        return 2 ** (attempt - 1);
    if (!isRateLimit(problem))
        return undefined;
    const { 'retry-after': after, 'x-ratelimit-reset': reset } = problem.headers;
    let delay = longestWaitSeconds;
    if (after !== undefined && /^\d+$/.test(after))
        delay = Number(after);
    else if (problem.headers['x-ratelimit-remaining'] === '0' && reset !== undefined) {
        delay = Math.max(1, Math.ceil(Number(reset) - now.getTime() / 1000));
    }
    return delay <= longestWaitSeconds ? delay : undefined;
}
/** `actions=read; contents=read` of the header `x-accepted-github-permissions`, in the words of a workflow. */
function permissionOf(problem) {
    const accepted = problem.headers['x-accepted-github-permissions'] ?? 'actions=read';
    return `permissions: ${accepted.replaceAll('=', ': ')}`;
}
/** What a request that is not made again comes to. Pure. */
function replyOf(problem) {
    const { status, message } = problem;
    if (status === undefined)
        return { kind: 'failed', reason: `no answer: ${message}` };
    if (status === 404)
        return { kind: 'missing' };
    if (status === 401)
        return { kind: 'denied', reason: `the token was refused (401: ${message})` };
    if (isRateLimit(problem)) {
        return { kind: 'failed', reason: `the rate limit is used up (${status}: ${message})` };
    }
    if (status === 403) {
        const lacking = `give the job \`${permissionOf(problem)}\``;
        return { kind: 'denied', reason: `the token may not read it (403: ${message}); ${lacking}` };
    }
    return { kind: 'failed', reason: `status ${status}: ${message}` };
}
/**
 * The data of a reply, for those who cannot go on without it.
 * @param what what was read: `the approvals of run 7`
 * @throws FailureError with code `github-permission`, `github-missing` or `github-error`
 */
function dataOf(reply, what) {
    const state = 'Nothing was changed; what GitHub knows of it is unknown here.';
    switch (reply.kind) {
        case 'ok':
            return reply.data;
        case 'missing':
            return (0,failure/* fail */.fJ)({
                code: 'github-missing',
                message: `GitHub knows nothing of ${what}, or the token may not see the repository.`,
                state,
                next: 'Check the repository, the run and the token (`permissions: actions: read`).',
            });
        case 'denied':
            return (0,failure/* fail */.fJ)({
                code: 'github-permission',
                message: `Could not read ${what}: ${reply.reason}.`,
                state,
                next: 'Give the job the permission, then run it again.',
            });
        case 'failed':
            return (0,failure/* fail */.fJ)({
                code: 'github-error',
                message: `Could not read ${what}: ${reply.reason}.`,
                state,
                next: 'See githubstatus.com, then run the job again.',
            });
    }
}
/** The answer does not have the fields that we read. */
function unknownShape(what, detail) {
    return (0,failure/* fail */.fJ)({
        code: 'github-error',
        message: `GitHub's answer about ${what} has an unknown shape: ${detail}.`,
        state: 'Nothing was changed; what GitHub knows of it is unknown here.',
        next: 'Look for a newer version of this action, or report the answer as a bug.',
    });
}

// EXTERNAL MODULE: ./node_modules/zod/v4/classic/schemas.js + 10 modules
var schemas = __webpack_require__(13798);
// EXTERNAL MODULE: ./node_modules/zod/v4/core/errors.js
var errors = __webpack_require__(37428);
;// CONCATENATED MODULE: ./lib/github/approvals.js


/** The fields we read of "Get the review history for a workflow run". */
const approvalsSchema = schemas/* array */.YOg(schemas/* object */.Ikc({
    state: schemas/* enum */.k5n(['approved', 'rejected', 'pending']),
    // Deleted accounts are shown as `ghost` by GitHub.
    user: schemas/* object */.Ikc({ login: schemas/* string */.YjP() }).nullable(),
    comment: schemas/* string */.YjP().nullable(),
    environments: schemas/* array */.YOg(schemas/* object */.Ikc({ name: schemas/* string */.YjP().optional() })),
}));
/** Reviews from the API's words into ours. Pure. */
function approvalsOf(reviews) {
    return reviews.map((review) => ({
        state: review.state,
        user: review.user?.login ?? 'ghost',
        comment: review.comment ?? '',
        environments: review.environments.flatMap(({ name }) => (name === undefined ? [] : [name])),
    }));
}
/**
 * Reads the reviews of all gates of a run, of all its attempts.
 * @throws FailureError with a `github-…` code
 */
async function readApprovals(get, runId) {
    const what = `the approvals of run ${runId}`;
    const reply = await get('GET /repos/{owner}/{repo}/actions/runs/{run_id}/approvals', {
        run_id: runId,
    });
    const parsed = approvalsSchema.safeParse(dataOf(reply, what));
    if (!parsed.success)
        return unknownShape(what, errors/* prettifyError */.S1(parsed.error));
    return approvalsOf(parsed.data);
}

;// CONCATENATED MODULE: ./lib/github/environments.js

/** The fields we read of "Get an environment"; unknown kinds of rules and reviewers pass and count as none. */
const environmentSchema = schemas/* object */.Ikc({
    protection_rules: schemas/* array */.YOg(schemas/* object */.Ikc({
        type: schemas/* string */.YjP(),
        wait_timer: schemas/* number */.aig().optional(),
        prevent_self_review: schemas/* boolean */.zMY().optional(),
        reviewers: schemas/* array */.YOg(schemas/* object */.Ikc({
            type: schemas/* string */.YjP().optional(),
            reviewer: schemas/* object */.Ikc({ login: schemas/* string */.YjP().optional(), slug: schemas/* string */.YjP().optional() })
                .nullish(),
        }))
            .optional(),
    }))
        .optional(),
});
function reviewersOf(environment) {
    return (environment.protection_rules ?? [])
        .filter((rule) => rule.type === 'required_reviewers')
        .flatMap((rule) => rule.reviewers ?? [])
        .flatMap(({ type, reviewer }) => {
        if (type === 'User' && reviewer?.login !== undefined)
            return [reviewer.login];
        if (type === 'Team' && reviewer?.slug !== undefined)
            return [`team:${reviewer.slug}`];
        return [];
    });
}
/** What a reply about an environment says of it as a gate. Pure. */
function gateEnvironment(reply) {
    if (reply.kind === 'missing')
        return { kind: 'missing' };
    if (reply.kind !== 'ok')
        return { kind: 'unreadable', reason: reply.reason };
    const parsed = environmentSchema.safeParse(reply.data);
    if (!parsed.success) {
        return {
            kind: 'unreadable',
            reason: `the answer has an unknown shape: ${errors/* prettifyError */.S1(parsed.error)}`,
        };
    }
    const rules = parsed.data.protection_rules ?? [];
    return {
        kind: 'found',
        reviewers: reviewersOf(parsed.data),
        preventsSelfReview: rules.some((rule) => rule.prevent_self_review === true),
        waitMinutes: Math.max(0, ...rules.map((rule) => rule.wait_timer ?? 0)),
    };
}
/** Reads an environment of the repository. */
async function readEnvironment(get, name) {
    // A URL cannot carry these, also when encoded: the request would be for something else.
    if (name === '' || name === '.' || name === '..') {
        return {
            kind: 'unreadable',
            reason: `GitHub cannot be asked for the name ${JSON.stringify(name)}`,
        };
    }
    const reply = await get('GET /repos/{owner}/{repo}/environments/{environment_name}', {
        environment_name: name,
    });
    return gateEnvironment(reply);
}

;// CONCATENATED MODULE: ./lib/github/jobs.js


/** The fields we read of "List jobs for a workflow run". */
const jobsSchema = schemas/* object */.Ikc({
    total_count: schemas/* number */.aig(),
    jobs: schemas/* array */.YOg(schemas/* object */.Ikc({
        name: schemas/* string */.YjP(),
        status: schemas/* string */.YjP(),
        conclusion: schemas/* string */.YjP().nullable(),
        started_at: schemas/* string */.YjP().nullish(),
        completed_at: schemas/* string */.YjP().nullish(),
    })),
});
/** The most that the API gives at once. */
const pageSize = 100;
/** A run has at most some thousands of jobs; this ends the loop should the API never end. */
const pageLimit = 100;
/** A job from the API's words into ours; without a conclusion its status stands for it. Pure. */
function jobResultOf(job) {
    const { name, status, conclusion, started_at: started, completed_at: completed } = job;
    return {
        name,
        conclusion: conclusion ?? status,
        ...(typeof started === 'string' ? { startedAt: started } : {}),
        ...(typeof completed === 'string' ? { completedAt: completed } : {}),
    };
}
/**
 * Reads all jobs of the latest attempt of a run.
 * @throws FailureError with a `github-…` code
 */
async function readJobs(get, runId) {
    const what = `the jobs of run ${runId}`;
    const found = [];
    for (let page = 1; page <= pageLimit; page += 1) {
        const reply = await get('GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs', {
            run_id: runId,
            filter: 'latest',
            per_page: pageSize,
            page,
        });
        const parsed = jobsSchema.safeParse(dataOf(reply, what));
        if (!parsed.success)
            return unknownShape(what, errors/* prettifyError */.S1(parsed.error));
        found.push(...parsed.data.jobs.map(jobResultOf));
        if (parsed.data.jobs.length === 0 || found.length >= parsed.data.total_count)
            break;
    }
    return found;
}

;// CONCATENATED MODULE: ./lib/github/rest.js






/** Seconds for one request. */
const requestTimeoutSeconds = 15;
function refuse(input, value, accepted) {
    return (0,failure/* fail */.fJ)({
        code: 'github-input',
        message: `The ${input} ${JSON.stringify(value)} is not ${accepted}.`,
        state: 'Nothing was asked of GitHub.',
        next: `Set the ${input} to ${accepted}.`,
    });
}
/** A thrown request error, by its shape. Octokit gives status 500 to a request that never got an answer. */
function problemOf(error) {
    const { status, message, response } = Object(error);
    const said = response?.data?.message ?? message;
    return {
        status: response !== undefined && typeof status === 'number' ? status : undefined,
        message: typeof said === 'string' ? said : String(error),
        headers: Object.fromEntries(Object.entries(response?.headers ?? {}).map(([name, value]) => [name, String(value)])),
    };
}
/**
 * GitHub over its REST API, read only. 5xx, lost connections and rate limits are tried again, three times in all.
 * @throws FailureError `github-input` when the repository, run or URL cannot be one
 */
async function githubRest(options) {
    const [owner = '', repo = '', ...more] = options.repository.split('/');
    if (owner === '' || repo === '' || more.length > 0) {
        return refuse('repository', options.repository, 'a name like owner/name');
    }
    if (!/^[1-9]\d{0,15}$/.test(options.runId)) {
        return refuse('run id', options.runId, 'a positive number like GITHUB_RUN_ID');
    }
    if (!/^https?:$/.test(URL.canParse(options.apiUrl) ? new URL(options.apiUrl).protocol : '')) {
        return refuse('API URL', options.apiUrl, 'a URL like https://api.github.com');
    }
    if (options.token === '')
        return refuse('token', '', 'a token like GITHUB_TOKEN');
    // Loaded here only: it makes the start of every action several times slower.
    const { getOctokit } = await __webpack_require__.e(/* import() */ 351).then(__webpack_require__.bind(__webpack_require__, 61351));
    const octokit = getOctokit(options.token, { baseUrl: options.apiUrl.replace(/\/+$/, '') });
    const clock = options.clock ?? (0,system_clock/* systemClock */.m)();
    const get = async (route, parameters) => {
        for (let attempt = 1;; attempt += 1) {
            try {
                const response = await octokit.request(route, {
                    owner,
                    repo,
                    ...parameters,
                    headers: { 'x-github-api-version': '2022-11-28' },
                    request: { signal: AbortSignal.timeout(requestTimeoutSeconds * 1000) },
                });
                return { kind: 'ok', data: response.data };
            }
            catch (error) {
                const problem = problemOf(error);
                const delay = retryDelaySeconds(problem, attempt, clock.now());
                if (delay === undefined)
                    return replyOf(problem);
                await clock.wait(delay);
            }
        }
    };
    const runId = Number(options.runId);
    return {
        environment: (name) => readEnvironment(get, name),
        approvals: () => readApprovals(get, runId),
        jobs: () => readJobs(get, runId),
    };
}


/***/ })

};
