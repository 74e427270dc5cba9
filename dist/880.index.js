export const id = 880;
export const ids = [880];
export const modules = {

/***/ 26880:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  s3Copies: () => (/* binding */ s3Copies)
});

// EXTERNAL MODULE: ./node_modules/@aws-sdk/client-s3/dist-cjs/index.js
var dist_cjs = __webpack_require__(53711);
// EXTERNAL MODULE: ./lib/ports/failure.js
var ports_failure = __webpack_require__(69554);
// EXTERNAL MODULE: external "node:https"
var external_node_https_ = __webpack_require__(44708);
// EXTERNAL MODULE: external "node:tls"
var external_node_tls_ = __webpack_require__(41692);
var external_node_tls_namespaceObject = /*#__PURE__*/__webpack_require__.t(external_node_tls_, 2);
;// CONCATENATED MODULE: ./lib/destinations/s3/client.js



/**
 * The official client, told everything, so that no variable and no file of the machine (AWS_…, ~/.aws) changes
 * what it does.
 */
function s3Client(place, keys, connection) {
    const { stallSeconds, extraCa, attempts } = connection;
    const client = new dist_cjs/* S3Client */.YxF({
        region: place.region,
        ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
        forcePathStyle: place.pathStyle ?? place.endpoint !== undefined,
        credentials: {
            accessKeyId: keys.accessKeyId,
            secretAccessKey: keys.secretAccessKey,
            ...(keys.sessionToken === undefined ? {} : { sessionToken: keys.sessionToken }),
        },
        maxAttempts: attempts,
        retryMode: 'standard',
        defaultsMode: 'standard',
        useFipsEndpoint: false,
        useDualstackEndpoint: false,
        useArnRegion: false,
        disableS3ExpressSessionAuth: true,
        disableMultiregionAccessPoints: true,
        followRegionRedirects: false,
        userAgentAppId: 'maintenance-window',
        // Each request is signed with the SHA-256 of its body, which every server checks. The newer checksums would
        // say the same again, and servers that do not know them refuse the request.
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        requestHandler: {
            connectionTimeout: Math.min(10, stallSeconds) * 1000,
            socketTimeout: stallSeconds * 1000,
            ...(extraCa === undefined
                ? {}
                : { httpsAgent: new external_node_https_.Agent({ keepAlive: true, ca: trusted(extraCa) }) }),
        },
    });
    // Last before the network: what Node throws keeps its code, also where its errors are of another realm than
    // the client's, which would wrap them.
    client.middlewareStack.add((next) => async (args) => {
        try {
            return await next(args);
        }
        catch (error) {
            throw error instanceof Error ? error : ofThisRealm(error);
        }
    }, { step: 'deserialize', priority: 'low', name: 'errorsOfThisRealm' });
    return client;
}
function ofThisRealm(error) {
    const { name, message, code } = Object(error);
    return Object.assign(new Error(String(message)), { name, code });
}
function trusted(extraCa) {
    // Since Node 22.15; it knows NODE_EXTRA_CA_CERTS and the system's store, where those are asked for.
    const { getCACertificates, rootCertificates } = external_node_tls_namespaceObject;
    return [...(getCACertificates?.('default') ?? rootCertificates ?? []), extraCa];
}

// EXTERNAL MODULE: ./lib/http/no-answer-reason.js
var no_answer_reason = __webpack_require__(33365);
;// CONCATENATED MODULE: ./lib/destinations/s3/failure.js

const credentials = (reason) => ({
    code: 'copy-credentials',
    reason: () => reason,
    next: () => 'Check the variables that access-key-id, secret-access-key and session-token name, then run the phase again.',
});
const full = {
    code: 'copy-full',
    reason: () => 'there is no room left for it',
    next: () => 'Make room in the bucket, or raise its quota, then run the phase again.',
};
const denied = {
    code: 'copy-denied',
    reason: ({ bucket }) => `the key may not do that in the bucket ${bucket}`,
    next: ({ bucket }) => `Let the key write, read, list and delete objects of the bucket ${bucket}, and list and abort its multipart uploads; then run the phase again.`,
};
const region = {
    code: 'copy-region',
    reason: (attempt) => `the bucket ${attempt.bucket} is not in the region ${attempt.region}`,
    next: () => 'Name the region of the bucket in `region`, then run the phase again.',
};
const corrupted = {
    code: 'copy-corrupted',
    reason: () => 'the bytes that arrived are not those that were sent',
    next: () => 'Run the phase again; when it repeats, look for what changes bytes on the way.',
};
const busy = {
    code: 'copy-server',
    reason: () => 'the server asked several times to come back later',
    next: () => 'Run the phase again when the server has less to do.',
};
const missing = {
    code: 'copy-missing',
    reason: () => 'there is no such object',
    next: () => 'List the bucket; the object was removed or never written.',
};
const notS3 = {
    code: 'copy-not-s3',
    reason: ({ server }) => `what answers at ${server.hostname}:${server.port} does not speak the protocol of S3`,
    next: () => 'Correct `endpoint`: the address of the S3 interface itself, not that of its pages.',
};
/** Whether an answer was none of the protocol: what the client says of XML that it cannot read. */
function isNoS3(error) {
    const { message } = Object(error);
    return typeof message === 'string' && /XML parse error|Deserialization error/.test(message);
}
/** Somebody who answers, and not as S3 does. */
function notS3Failure(attempt) {
    return {
        code: notS3.code,
        message: `Could not ${attempt.what}: ${notS3.reason(attempt)}.`,
        state: attempt.state,
        next: notS3.next(attempt),
    };
}
/**
 * By the code in the server's answer: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the
 * words of MinIO and Ceph for a full disk and a quota, which Amazon does not have.
 */
const kinds = {
    InvalidAccessKeyId: credentials('the server does not know the access key'),
    SignatureDoesNotMatch: credentials('the secret key is not that of the access key'),
    ExpiredToken: credentials('the session token has expired'),
    InvalidToken: credentials('the session token is not valid'),
    RequestTimeTooSkewed: {
        code: 'copy-clock',
        reason: () => 'the clock of this machine and that of the server are too far apart',
        next: () => 'Set the clock of the machine that runs this (NTP), then run the phase again.',
    },
    NoSuchBucket: {
        code: 'copy-no-bucket',
        reason: ({ bucket }) => `there is no bucket ${bucket}`,
        next: () => 'Create the bucket, or correct `bucket`, then run the phase again.',
    },
    AccessDenied: denied,
    AllAccessDisabled: denied,
    AccountProblem: denied,
    InvalidObjectState: {
        code: 'copy-denied',
        reason: () => 'the object lies in a storage class that does not give it back at once',
        next: () => 'Restore the object to a readable storage class first.',
    },
    AuthorizationHeaderMalformed: region,
    IllegalLocationConstraintException: region,
    PermanentRedirect: region,
    QuotaExceeded: full,
    InsufficientStorage: full,
    XMinioStorageFull: full,
    XMinioAdminBucketQuotaExceeded: full,
    BadDigest: corrupted,
    InvalidDigest: corrupted,
    XAmzContentSHA256Mismatch: corrupted,
    SlowDown: busy,
    ServiceUnavailable: busy,
    NoSuchKey: missing,
    EntityTooLarge: {
        code: 'copy-too-large',
        reason: () => 'the server takes no object, or no part of one, of that size',
        next: () => 'Use a backup of several smaller files (format directory), then run the phase again.',
    },
};
const kindsByStatus = {
    301: region,
    403: denied,
    429: busy,
    503: busy,
    507: full,
};
/** What a request to a bucket failed with, as people should read it. Pure. */
function s3Failure(error, attempt) {
    const thrown = Object(error);
    const status = thrown.$metadata?.httpStatusCode;
    const name = typeof thrown.name === 'string' ? thrown.name : '';
    if (status === undefined)
        return withoutAnswer(error, name, attempt);
    const known = Object.hasOwn(kinds, name) ? kinds[name] : kindsByStatus[status];
    const kind = isNoS3(error) ? notS3 : known;
    const said = `[${[name, `HTTP ${status}`].filter((word) => !['', 'Unknown', 'Error'].includes(word)).join(', ')}]`;
    if (kind !== undefined) {
        return {
            code: kind.code,
            message: `Could not ${attempt.what}: ${kind.reason(attempt)} ${said}.`,
            state: attempt.state,
            next: kind.next(attempt),
        };
    }
    const isServers = status >= 500 || status < 300;
    return {
        code: isServers ? 'copy-server' : 'copy-refused',
        message: `Could not ${attempt.what}: the server ${isServers ? 'failed' : 'refused'} with "${told(thrown.message, attempt)}" ${said}.`,
        state: attempt.state,
        next: isServers
            ? 'Look at the server of the bucket (its log, its disk), then run the phase again.'
            : 'Correct what the server names, then run the phase again.',
    };
}
function withoutAnswer(error, name, attempt) {
    const cause = causeOf(error);
    const code = typeof cause.code === 'string' ? cause.code : '';
    const reason = (0,no_answer_reason/* noAnswerReason */.G)(cause, attempt.server);
    const failure = (kind, why, next) => ({
        code: kind,
        message: `Could not ${attempt.what}: ${told(why, attempt)}.`,
        state: attempt.state,
        next,
    });
    if (/CERT|SIGNATURE|ISSUER|SSL|TLS|EPROTO/.test(code)) {
        return failure('copy-tls', reason, 'Correct the address of the server or its certificate; an authority of your own goes into NODE_EXTRA_CA_CERTS.');
    }
    if (code === 'ETIMEDOUT' || name === 'TimeoutError') {
        const isReset = ['ECONNRESET', 'EPIPE'].includes(code);
        if (!isReset) {
            const place = `${attempt.server.hostname}:${attempt.server.port}`;
            return failure('copy-stalled', `nothing moved between this machine and ${place} for ${attempt.stallSeconds} s`, 'Look at the network and the server of the bucket, then run the phase again.');
        }
    }
    if (['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code) ||
        code.startsWith('HPE_')) {
        return failure('copy-interrupted', reason, 'Look at the network and the server of the bucket, then run the phase again.');
    }
    if (code === '') {
        const said = typeof cause.message === 'string' ? cause.message : String(error);
        return failure('copy-failed', `the S3 client failed with "${told(said, attempt)}"`, 'Look whether what answers at `endpoint` is an S3 server; then run the phase again.');
    }
    return failure('copy-unreachable', reason, 'Check `endpoint`, the name, the firewall and that the server runs; then run the phase again.');
}
/** The error of the system, which the client wraps at times. */
function causeOf(error) {
    let thrown = Object(error);
    for (let depth = 0; depth < 5 && typeof thrown.code !== 'string'; depth += 1) {
        if (typeof thrown.cause !== 'object' || thrown.cause === null)
            break;
        thrown = thrown.cause;
    }
    return thrown;
}
/** What somebody else said, on one line, not long, and without secrets. */
function told(message, { secrets }) {
    let text = typeof message === 'string' ? message : '';
    for (const secret of secrets)
        if (secret !== '')
            text = text.replaceAll(secret, '***');
    return text
        .replace(/[\u0000-\u001f\u007f\s]+/g, ' ')
        .replace(/\.\s*$/, '')
        .trim()
        .slice(0, 300);
}

// EXTERNAL MODULE: ./lib/destinations/s3/place.js
var s3_place = __webpack_require__(84275);
;// CONCATENATED MODULE: ./lib/destinations/s3/bucket.js




/** HTTP status of the answer that an error of the client is about. */
function statusOf(error) {
    const { $metadata } = Object(error);
    return $metadata?.httpStatusCode;
}
/** The server's code of an error: `NoSuchKey`. */
function nameOf(error) {
    const { name } = Object(error);
    return typeof name === 'string' ? name : '';
}
function openBucket(place, keys, options) {
    const stallSeconds = options.stallSeconds ?? 60;
    const client = s3Client(place, keys, {
        stallSeconds,
        extraCa: options.extraCa,
        attempts: options.attempts ?? 3,
    });
    const label = (0,s3_place/* labelOf */.W)(place);
    const prefix = place.prefix === undefined ? '' : `${place.prefix}/`;
    const never = new AbortController().signal;
    const attempt = {
        bucket: place.bucket,
        region: place.region,
        server: (0,s3_place/* serverOf */.F)(place),
        stallSeconds,
        secrets: [keys.secretAccessKey, keys.sessionToken ?? ''],
    };
    const failureOf = (error, what, state) => {
        if (error instanceof ports_failure/* FailureError */.pO)
            return error;
        if (options.signal?.aborted === true) {
            return new ports_failure/* FailureError */.pO({
                code: 'cancelled',
                message: `The run was cancelled; it was given up to ${what}.`,
                state,
                next: 'Run the phase again.',
            });
        }
        // Without the error as cause: it carries the whole request.
        return new ports_failure/* FailureError */.pO(s3Failure(error, { ...attempt, what, state }));
    };
    const tryOut = (request, signal = never) => request(client, { abortSignal: signal });
    return {
        name: place.bucket,
        place,
        label,
        options,
        prefix,
        keyOf: (name) => `${prefix}${name}`,
        failureOf,
        notS3: (what, state) => new ports_failure/* FailureError */.pO(notS3Failure({ ...attempt, what, state })),
        tryOut,
        ask: async (what, state, request) => {
            try {
                return await tryOut(request, options.signal);
            }
            catch (error) {
                throw failureOf(error, what, state);
            }
        },
    };
}

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(77598);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(58500);
;// CONCATENATED MODULE: ./lib/destinations/s3/part-size.js
const mebibyte = 1024 * 1024;
/**
 * S3 takes 10,000 parts of up to 5 GiB, and all but the last of at least 5 MiB
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
 */
const mostParts = 10_000;
/**
 * Bytes of the part with this number (from 1), or undefined when an upload has no such part. Nobody knows how long
 * the object will be, so parts grow: small ones (the memory of our process) as long as most objects last, and of
 * one size, since some servers ask for that; larger ones for what is longer than 125 GiB and 500 GiB, up to 2 TiB.
 * @param firstBytes of the first parts
 */
function partBytes(number, firstBytes = 32 * mebibyte) {
    if (number > mostParts)
        return undefined;
    if (number > 7000)
        return 16 * firstBytes;
    return number > 4000 ? 4 * firstBytes : firstBytes;
}
/** The longest object. */
function mostBytes(firstBytes) {
    let sum = 0;
    for (let number = 1; number <= mostParts; number += 1)
        sum += partBytes(number, firstBytes) ?? 0;
    return sum;
}
/** How many parts are under way at once, besides the one that is being filled: fewer of the large ones. */
function partsUnderWay(number) {
    return number > 4000 ? 1 : 2;
}

;// CONCATENATED MODULE: ./lib/destinations/s3/parts.js
/**
 * Cuts bytes of unknown length into parts; there is always one, and each but the last is full. Holds one part, and
 * pulls no more of `content` than fills it, but for the one chunk that shows whether there is more.
 * @param sizeOf bytes of the part with this number; undefined when there may be no such part
 * @param spare where the bytes of full parts that are done with are put back, to be filled again: what is left to
 * the garbage collector stays for long, since it is outside of the heap
 */
async function* partsOf(content, sizeOf, spare = []) {
    let number = 1;
    let filling = new Filling(sizeOf(number) ?? 0, spare);
    for await (let chunk of content) {
        while (chunk.length > 0) {
            if (filling.isFull) {
                yield { number, bytes: filling.bytes, isLast: false };
                number += 1;
                const size = sizeOf(number);
                if (size === undefined) {
                    yield undefined;
                    return undefined;
                }
                filling = new Filling(size, spare);
            }
            chunk = filling.add(chunk);
        }
    }
    yield { number, bytes: filling.bytes, isLast: true };
    return undefined;
}
/** A part that is being filled. */
class Filling {
    #size;
    #buffer;
    #length = 0;
    constructor(size, spare) {
        this.#size = size;
        const used = spare.pop();
        // Most objects are small; a part that goes on is given its full size at its first growth.
        this.#buffer = used?.length === size ? used : Buffer.allocUnsafeSlow(Math.min(size, 64 * 1024));
    }
    get isFull() {
        return this.#length === this.#size;
    }
    get bytes() {
        return this.#buffer.subarray(0, this.#length);
    }
    /** Takes what fits, and gives the rest back. */
    add(chunk) {
        const taken = chunk.subarray(0, this.#size - this.#length);
        if (this.#length + taken.length > this.#buffer.length) {
            const grown = Buffer.allocUnsafeSlow(this.#size);
            this.#buffer.copy(grown, 0, 0, this.#length);
            this.#buffer = grown;
        }
        this.#buffer.set(taken, this.#length);
        this.#length += taken.length;
        return chunk.subarray(taken.length);
    }
}

;// CONCATENATED MODULE: ./lib/destinations/s3/sending.js

/** What the source of the bytes threw. */
class SourceError extends Error {
}
/**
 * Sends parts as they are cut, few at once. The first that fails ends it, also while the source is waited for.
 * @throws SourceError; what `sendPart` throws
 */
async function sendAll(first, parts, { sendPart, signal, ending, tooLong: refusal, }) {
    const underWay = new Set();
    const { promise: broken, reject: breakOff } = withResolvers();
    broken.catch(() => undefined);
    const onAbort = () => breakOff(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted)
        onAbort();
    let isPulling = false;
    try {
        let part = first;
        for (;;) {
            if (part === undefined)
                throw refusal();
            const sending = sendPart(part).finally(() => underWay.delete(sending));
            sending.catch(breakOff);
            underWay.add(sending);
            if (part.isLast)
                break;
            const most = partsUnderWay(part.number + 1);
            isPulling = true;
            // Not as the value of the race, which `broken` would hold on to as long as it lives, with the bytes.
            const pulled = [];
            await Promise.race([broken, pull(parts).then((next) => void pulled.push(next))]);
            isPulling = false;
            while (underWay.size >= most)
                await Promise.race([broken, ...underWay]);
            part = pulled[0];
        }
        await Promise.race([broken, Promise.all(underWay)]);
    }
    catch (error) {
        ending.abort();
        // Ends the source; not waited for while it is being read, since it may never answer.
        const returned = parts.return(undefined).catch(() => undefined);
        if (!isPulling)
            await returned;
        await Promise.allSettled(underWay);
        throw error;
    }
    finally {
        signal.removeEventListener('abort', onAbort);
    }
}
function withResolvers() {
    let reject = () => undefined;
    const promise = new Promise((_, refuse) => {
        reject = refuse;
    });
    return { promise, reject };
}
async function pull(parts) {
    try {
        const { value, done } = await parts.next();
        if (done === true)
            throw new Error('the last part was not marked as such');
        return value;
    }
    catch (error) {
        throw new SourceError('the source failed', { cause: error });
    }
}
/** The first part, or the failure when the run is cancelled while the source is waited for. */
async function firstOf(parts, cancelled, signal) {
    const { promise: broken, reject } = withResolvers();
    const onAbort = () => reject(cancelled());
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true)
        onAbort();
    try {
        const { value } = await Promise.race([broken, parts.next()]);
        if (value === undefined)
            throw new Error('there is always one part');
        return value;
    }
    finally {
        signal?.removeEventListener('abort', onAbort);
    }
}

;// CONCATENATED MODULE: ./lib/destinations/s3/upload.js








/** Metadata by which an upload knows its own object again, when the answer to its last request was lost. */
const marker = 'maintenance-window-upload';
/** Milliseconds for taking parts back, also when a cancelled run has ten seconds left. */
const takeBackMilliseconds = 4000;
/** Milliseconds that a part which was arriving may take to be stored. */
const settlingMilliseconds = 100;
const untouched = 'Nothing was written.';
const unknownEnd = 'The server may have stored the object as its answer was lost; whole, if at all.';
/**
 * Writes an object whole or not at all; overwrites none.
 * @throws FailureError; what `content` throws
 */
async function upload(bucket, name, content) {
    const what = `write ${name} to ${bucket.label}`;
    await refuseExisting(bucket, name, what);
    const spare = [];
    const sizeOf = (number) => partBytes(number, bucket.options.firstPartBytes);
    const parts = partsOf(content, sizeOf, spare);
    const first = await firstOf(parts, () => bucket.failureOf(undefined, what, untouched), bucket.options.signal);
    if (first.isLast)
        await putWhole(bucket, name, first.bytes, what);
    else
        await putInParts(bucket, name, { first, parts, spare, what });
}
/** Properties of the new object. */
function propertiesOf({ place }, id) {
    return {
        Metadata: { [marker]: id },
        ContentType: 'application/octet-stream',
        ...(place.storageClass === undefined ? {} : { StorageClass: place.storageClass }),
        ...(place.serverSideEncryption === undefined
            ? {}
            : { ServerSideEncryption: place.serverSideEncryption }),
    };
}
/** Looks before anything is sent. The condition of the write itself decides, where the server knows it. */
async function refuseExisting(bucket, name, what) {
    try {
        await bucket.tryOut((client, options) => client.send(new dist_cjs/* HeadObjectCommand */.l81({ Bucket: bucket.name, Key: bucket.keyOf(name) }), options), bucket.options.signal);
    }
    catch (error) {
        // Without an answer the write would fail too. Whatever else it says (a key that may only write cannot look),
        // the write will say it in full: the answer to HEAD has no words.
        if (statusOf(error) === undefined)
            throw bucket.failureOf(error, what, untouched);
        return;
    }
    throw exists(bucket, name);
}
function exists({ label }, name) {
    return new ports_failure/* FailureError */.pO({
        code: 'copy-exists',
        message: `There is already an object ${name} in ${label}; it was not overwritten.`,
        state: 'The object that is there is as it was.',
        next: 'Find out what wrote it; remove it, or give this window a prefix of its own.',
    });
}
/** Whether the object that is there is the one that this upload has written. */
async function isOurs(bucket, name, id) {
    try {
        const { Metadata } = await bucket.tryOut((client, options) => client.send(new dist_cjs/* HeadObjectCommand */.l81({ Bucket: bucket.name, Key: bucket.keyOf(name) }), options), AbortSignal.timeout(takeBackMilliseconds));
        return Metadata?.[marker] === id;
    }
    catch {
        return false;
    }
}
/** Whether the server does not know conditional writes; it has written nothing then. */
function knowsNoCondition(error) {
    return statusOf(error) === 501 || nameOf(error) === 'NotImplemented';
}
/**
 * The request that makes the object appear: on the condition that there is none, once more without the condition
 * where the server does not know it, and looked after when it is not certain what it did.
 */
async function makeAppear(bucket, { name, id, what, send, }) {
    try {
        try {
            await send({ IfNoneMatch: '*' });
        }
        catch (error) {
            if (!knowsNoCondition(error))
                throw error;
            await refuseExisting(bucket, name, what);
            await send({});
        }
    }
    catch (error) {
        const status = statusOf(error);
        const isCertain = status !== undefined && status < 500 && ![404, 409, 412].includes(status);
        if (!isCertain && (await isOurs(bucket, name, id)))
            return;
        if (status === 412 || status === 409)
            throw exists(bucket, name);
        throw bucket.failureOf(error, what, status === undefined ? unknownEnd : untouched);
    }
}
async function putWhole(bucket, name, bytes, what) {
    const id = (0,external_node_crypto_.randomUUID)();
    await makeAppear(bucket, {
        name,
        id,
        what,
        send: (condition) => bucket.tryOut((client, options) => client.send(new dist_cjs/* PutObjectCommand */.wKZ({
            Bucket: bucket.name,
            Key: bucket.keyOf(name),
            Body: bytes,
            ...propertiesOf(bucket, id),
            ...condition,
        }), options), bucket.options.signal),
    });
}
async function putInParts(bucket, name, { first, parts, spare, what, }) {
    const target = { Bucket: bucket.name, Key: bucket.keyOf(name) };
    const id = (0,external_node_crypto_.randomUUID)();
    const { UploadId } = await bucket.ask(what, untouched, (client, options) => client.send(new dist_cjs/* CreateMultipartUploadCommand */.nG4({ ...target, ...propertiesOf(bucket, id) }), options));
    const ending = new AbortController();
    const { signal: cancel } = bucket.options;
    const signal = cancel === undefined ? ending.signal : AbortSignal.any([cancel, ending.signal]);
    const sent = [];
    const sendPart = async ({ number, bytes }) => {
        const part = { ...target, UploadId, PartNumber: number };
        const { ETag } = await bucket.tryOut((client, options) => client.send(new dist_cjs/* UploadPartCommand */.iVK({ ...part, Body: bytes }), options), signal);
        sent.push({ ETag, PartNumber: number });
        spare.push(bytes);
    };
    try {
        await sendAll(first, parts, { sendPart, signal, ending, tooLong: () => tooLong(bucket, name) });
        sent.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
        await makeAppear(bucket, {
            name,
            id,
            what,
            send: (condition) => bucket.tryOut((client, options) => client.send(new dist_cjs/* CompleteMultipartUploadCommand */.Gym({
                ...target,
                ...condition,
                UploadId,
                MultipartUpload: { Parts: sent },
            }), options), cancel),
        });
    }
    catch (error) {
        const isTakenBack = await takeBack(bucket, { key: target.Key, uploadId: UploadId ?? '' });
        if (error instanceof SourceError)
            throw error.cause;
        const state = isTakenBack
            ? 'The object is not there, and the parts that were sent are removed.'
            : 'The object is not there. Parts that were sent are kept by the server, in no list of objects; the next copy to this place removes them.';
        if (error instanceof ports_failure/* FailureError */.pO) {
            const { failure } = error;
            throw new ports_failure/* FailureError */.pO(failure.state === untouched ? { ...failure, state } : failure);
        }
        throw bucket.failureOf(error, what, state);
    }
}
function tooLong(bucket, name) {
    const gibibytes = Math.floor(mostBytes(bucket.options.firstPartBytes) / 2 ** 30);
    return new ports_failure/* FailureError */.pO({
        code: 'copy-too-large',
        message: `Could not write ${name} to ${bucket.label}: it has more than the ${gibibytes} GiB that an object can have.`,
        state: untouched,
        next: 'Use a backup of several smaller files (format directory), then run the phase again.',
    });
}
/** Removes the parts of an unfinished upload. Whether they are gone. */
async function takeBack(bucket, { key, uploadId }) {
    const upload = { Bucket: bucket.name, Key: key, UploadId: uploadId };
    const timeIsUp = AbortSignal.timeout(takeBackMilliseconds);
    try {
        // A part that was arriving when the upload was given up can still be stored; "it might be necessary to abort a
        // given multipart upload multiple times" (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html).
        for (;;) {
            await bucket.tryOut((client, options) => client.send(new dist_cjs/* AbortMultipartUploadCommand */.tfP(upload), options), timeIsUp);
            await (0,promises_.setTimeout)(settlingMilliseconds, undefined, { signal: timeIsUp });
            if (!(await isUnfinished(bucket, upload, timeIsUp)))
                return true;
        }
    }
    catch (error) {
        return nameOf(error) === 'NoSuchUpload';
    }
}
async function isUnfinished(bucket, upload, signal) {
    try {
        await bucket.tryOut((client, options) => client.send(new dist_cjs/* ListPartsCommand */.m9c(upload), options), signal);
        return true;
    }
    catch (error) {
        if (statusOf(error) === undefined)
            throw error;
        // That there is none; or that the key may not look, or the server cannot: its word that it is gone counts.
        return false;
    }
}

;// CONCATENATED MODULE: ./lib/destinations/s3/unfinished.js




const nothingChanged = 'Nothing was changed there.';
/**
 * Unfinished uploads below the prefix; none where the server cannot tell.
 * @throws FailureError when there is no answer, or none of S3
 */
async function unfinishedUploads(bucket, what) {
    const found = [];
    let next = {};
    try {
        for (;;) {
            const page = await pageAfter(bucket, next);
            if (page.Bucket === undefined && page.IsTruncated === undefined) {
                throw bucket.notS3(what, nothingChanged);
            }
            found.push(...(page.Uploads ?? []).flatMap((upload) => unfinished(bucket, upload)));
            const isStuck = page.NextKeyMarker === next.KeyMarker && page.NextUploadIdMarker === next.UploadIdMarker;
            if (page.IsTruncated !== true || isStuck)
                return found;
            next = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
        }
    }
    catch (error) {
        if (statusOf(error) === undefined || isNoS3(error)) {
            throw bucket.failureOf(error, what, nothingChanged);
        }
        bucket.options.note?.(`Unfinished uploads of earlier runs could not be looked for in ${bucket.label} (${nameOf(error)}); a lifecycle rule of the bucket can remove them.`);
        return found;
    }
}
async function pageAfter(bucket, marker) {
    const { signal, pageSize = 1000 } = bucket.options;
    const asked = { Bucket: bucket.name, Prefix: bucket.prefix, MaxUploads: pageSize };
    const ask = (after) => bucket.tryOut((client, options) => client.send(new dist_cjs/* ListMultipartUploadsCommand */.mo2({ ...asked, ...after }), options), signal);
    try {
        return await ask(marker);
    }
    catch (error) {
        const { KeyMarker, UploadIdMarker } = marker;
        if (nameOf(error) !== 'InvalidArgument' || UploadIdMarker === undefined)
            throw error;
        // versitygw 1.8 does not take the second marker back that it gave. The first alone passes over further uploads
        // of the same object; they are found when these are gone.
        return ask({ KeyMarker });
    }
}
function unfinished({ prefix }, { Key, UploadId }) {
    if (Key === undefined || UploadId === undefined)
        return [];
    return [{ name: Key.slice(prefix.length), uploadId: UploadId }];
}
/** Removes the parts of uploads, and gives back which; tells of those that stay. */
async function removeUploads(bucket, uploads) {
    const removed = [];
    for (const upload of uploads) {
        const { name, uploadId } = upload;
        if (await takeBack(bucket, { key: bucket.keyOf(name), uploadId }))
            removed.push(upload);
        else {
            bucket.options.note?.(`The parts of an unfinished upload of ${name} in ${bucket.label} could not be removed; a lifecycle rule of the bucket can.`);
        }
    }
    return removed;
}

;// CONCATENATED MODULE: ./lib/destinations/s3/s3-copies.js





const s3_copies_nothingChanged = 'Nothing was changed there.';
/** What is done with copies in a bucket. Loaded when the first of them is made, because of the client's size. */
function s3Copies(place, keys, options) {
    const bucket = openBucket(place, keys, options);
    let left;
    return {
        put: async (name, content) => {
            // Looked for once, before anything of this run is there. Nobody but us writes an object of that name.
            left ??= unfinishedUploads(bucket, `write ${name} to ${bucket.label}`);
            const earlier = await left.catch((error) => {
                left = undefined;
                throw error;
            });
            const ours = earlier.filter((unfinished) => unfinished.name === name);
            left = Promise.resolve(earlier.filter((unfinished) => !ours.includes(unfinished)));
            await removeUploads(bucket, ours);
            await upload(bucket, name, content);
        },
        sweep: async (isOurs) => {
            const found = await unfinishedUploads(bucket, `list ${bucket.label}`);
            const removed = await removeUploads(bucket, found.filter(({ name }) => isOurs(name)));
            return [...new Set(removed.map(({ name }) => name))];
        },
        read: (name) => read(bucket, name),
        list: () => list(bucket),
        remove: (name) => remove(bucket, name),
    };
}
async function* read(bucket, name) {
    const what = `read ${name} from ${bucket.label}`;
    const { Body, ContentLength } = await bucket.ask(what, s3_copies_nothingChanged, (client, options) => client.send(new dist_cjs/* GetObjectCommand */.jLs({ Bucket: bucket.name, Key: bucket.keyOf(name) }), options));
    let bytes = 0;
    try {
        for await (const chunk of Body) {
            bytes += chunk.length;
            yield chunk;
        }
    }
    catch (error) {
        throw bucket.failureOf(error, what, s3_copies_nothingChanged);
    }
    if (ContentLength === undefined || bytes === ContentLength)
        return;
    throw new ports_failure/* FailureError */.pO({
        code: 'copy-interrupted',
        message: `Could not ${what}: ${bytes} of ${ContentLength} bytes arrived.`,
        state: s3_copies_nothingChanged,
        next: 'Look at the network and the server of the bucket, then run the phase again.',
    });
}
async function list(bucket) {
    const what = `list ${bucket.label}`;
    const found = [];
    let token;
    do {
        const page = await bucket.ask(what, s3_copies_nothingChanged, (client, options) => client.send(new dist_cjs/* ListObjectsV2Command */.u6x({
            Bucket: bucket.name,
            Prefix: bucket.prefix,
            MaxKeys: bucket.options.pageSize ?? 1000,
            ...(token === undefined ? {} : { ContinuationToken: token }),
        }), options));
        if (page.Name === undefined && page.IsTruncated === undefined) {
            throw bucket.notS3(what, s3_copies_nothingChanged);
        }
        for (const { Key, Size } of page.Contents ?? []) {
            // A key that ends with a slash is what other programs keep as a folder.
            if (Key === undefined || Key.endsWith('/'))
                continue;
            found.push({ name: Key.slice(bucket.prefix.length), bytes: Size ?? 0 });
        }
        const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
        if (page.IsTruncated === true && (next === undefined || next === token)) {
            throw new ports_failure/* FailureError */.pO({
                code: 'copy-server',
                message: `Could not ${what}: the server says that there are more objects, and not how to ask for them.`,
                state: s3_copies_nothingChanged,
                next: 'Look at the server of the bucket; it does not list as S3 does.',
            });
        }
        token = next;
    } while (token !== undefined);
    return found;
}
async function remove(bucket, name) {
    await bucket.ask(`remove ${name} from ${bucket.label}`, 'The object may still be there; a list tells.', async (client, options) => {
        try {
            await client.send(new dist_cjs/* DeleteObjectCommand */.k4j({ Bucket: bucket.name, Key: bucket.keyOf(name) }), options);
        }
        catch (error) {
            if (nameOf(error) !== 'NoSuchKey')
                throw error;
        }
    });
}


/***/ })

};
