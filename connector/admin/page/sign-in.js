// A session's cookie does not come along when a link on another site leads here; asked from this page, it does.
fetch("/", { method: "HEAD", cache: "no-store" }).then((answer) => {
  if (answer.ok) location.replace("/");
});
