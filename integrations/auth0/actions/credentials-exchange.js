/**
 * onesec: refuses a client, or an agent, that was flagged.
 *
 * Trigger: credentials-exchange (client credentials). There is no user here.
 */

// --- the same in both Actions ---

/** All that anybody is told: no reason, no name, nothing of how it was found. */
const MESSAGE = "Access is suspended. Please contact your administrator.";

/**
 * Whether the flag that onesec puts on a user (`app_metadata.onesec`) refuses. onesec writes `{"flagged": true, …}` and
 * takes the whole member away; what is neither that nor `{"flagged": false, …}` cannot be read, and refuses.
 */
function userRefused(metadata) {
  if (metadata === undefined || metadata === null) return false;
  if (!isPlain(metadata)) return true;
  if (!Object.hasOwn(metadata, "onesec")) return false;
  const flag = metadata.onesec;
  if (flag === undefined || flag === null) return false;
  return !(isPlain(flag) && Object.hasOwn(flag, "flagged") && flag.flagged === false);
}

/**
 * Whether the metadata of a client or an agent refuses: `onesec_flagged`, a text, as all metadata of clients is. Absent,
 * empty or `false`: it passes. Anything else refuses.
 */
function machineRefused(metadata) {
  if (metadata === undefined || metadata === null) return false;
  if (!isPlain(metadata)) return true;
  if (!Object.hasOwn(metadata, "onesec_flagged")) return false;
  const flag = metadata.onesec_flagged;
  return !(flag === undefined || flag === null || flag === "" || flag === "false");
}

function isPlain(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What throws while it is looked at refuses. */
function refused(look) {
  try {
    return look();
  } catch {
    return true;
  }
}

// --- end of what is the same ---

exports.onExecuteCredentialsExchange = async (event, api) => {
  const refuse =
    refused(() => machineRefused(event.client.metadata)) ||
    refused(() => machineRefused(event.agent?.agent_metadata));
  if (refuse) api.access.deny("invalid_request", MESSAGE);
};
