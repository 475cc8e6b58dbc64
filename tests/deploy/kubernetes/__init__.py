"""The manifests of deploy/kubernetes for the tests: rendered as `kubectl apply -k` would, and validated.

No cluster is needed. kustomize and the definitions of custom resources come as Go modules, the schemas of Kubernetes'
own kinds with kubernetes-validate. Knows nothing of the connector.
"""

from tests.deploy.kubernetes.rendering import MANIFESTS, Object, get, only, render
from tests.deploy.kubernetes.validation import complaints

__all__ = ["MANIFESTS", "Object", "complaints", "get", "only", "render"]
