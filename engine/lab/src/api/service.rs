//! From HTTP requests to verbs.
//!
//! Invariant: every answer to a request for an object is either what was asked or a `Status`; the lab never closes a connection to
//! say no.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body as HttpBody;
use tokio::sync::Semaphore;

use super::accept::{self, Subject, Writing};
use super::body::{Body, add_warnings, refusal, text_response};
use super::document::{DocumentRequest, Documents};
use super::query::Query;
use super::route::{ObjectPath, Route};
use super::table::Representation;
use super::watch::WATCHES;
use super::{authorize, discovery, document, health, review};
use crate::access::{Access, RBAC_GROUP, User};
use crate::fault::{ApiCall, Faults};
use crate::schema::{Resource, text};
use crate::status::Status;
use crate::store::{GroupResource, Store};
use crate::stream::{self, PodHost};

/// Largest request body in bytes; the API server's own limit.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// The API of one lab. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub(super) store: Store,
    pub(super) pods: Arc<dyn PodHost>,
    faults: Arc<Faults>,
    access: Arc<Access>,
    documents: Arc<Documents>,
    watches: Arc<Semaphore>,
}

/// One request for a resource or an object, ready to be carried out.
pub(super) struct Call<'a> {
    pub(super) store: &'a Store,
    pub(super) faults: &'a Faults,
    pub(super) resource: &'a Arc<Resource>,
    pub(super) path: &'a ObjectPath,
    pub(super) query: &'a Query,
    pub(super) access: &'a Access,
    /// Places for watches.
    pub(super) watches: &'a Arc<Semaphore>,
    /// Who asks, or is acted as.
    pub(super) user: &'a User,
    pub(super) representation: Representation,
    pub(super) writing: Writing,
    /// Who changes are put down to.
    pub(super) manager: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Api {
    /// An API over a store, with someone who runs the pods and someone who guards the door.
    pub fn new(store: Store, pods: Arc<dyn PodHost>, access: Arc<Access>) -> Self {
        let watches = Arc::new(Semaphore::new(WATCHES));
        Self { store, pods, faults: Arc::default(), access, documents: Arc::default(), watches }
    }

    fn document_request<'r>(&'r self, headers: &'r HeaderMap, query: &'r Query) -> DocumentRequest<'r> {
        DocumentRequest {
            catalog: self.store.catalog(),
            headers,
            hash: query.get("hash"),
            now: self.store.clock().now(),
        }
    }

    /// Who guards the door.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The same API, with requests that go wrong.
    #[must_use]
    pub fn with_faults(self, faults: Arc<Faults>) -> Self {
        Self { faults, ..self }
    }

    /// Answers one request of `caller`.
    pub(crate) async fn handle<B>(&self, caller: &Arc<User>, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let query = Query::parse(request.uri().query());
        let catalog = self.store.catalog();
        let route = Route::parse(request.uri().path());
        let asked = || authorize::attributes(&route, request.method(), request.uri().path(), &query);
        let user = match self.access.admit(caller, request.headers(), asked) {
            Ok(user) => user,
            Err(status) => return refusal(accept::writing(request.headers(), &query), &status),
        };
        match route {
            Route::Object(path) => {
                let writing = accept::writing(request.headers(), &query);
                if path.group == RBAC_GROUP {
                    self.access.furnish();
                }
                let Some(resource) = catalog.find(&path.group, &path.version, &path.plural) else {
                    return nothing_there(writing, catalog.has_builtin_group(&path.group));
                };
                let answer = self.object(&user, request, &path, &resource, &query, writing).await;
                let mut answer = answer.unwrap_or_else(|status| refusal(writing, &status));
                add_warnings(&mut answer, resource.deprecation(catalog).as_slice());
                answer
            }
            Route::Version => discovery::version(),
            Route::Root => health::paths(catalog),
            Route::Health { endpoint, check } => health::answer(&endpoint, check.as_deref(), &query),
            Route::CoreVersions => discovery::core_versions(catalog, request.headers()),
            Route::Groups => discovery::groups(catalog, request.headers()),
            Route::Group(group) => discovery::group(catalog, &group).unwrap_or_else(not_found),
            Route::Resources { group, version } => {
                let writing = accept::writing(request.headers(), &query);
                let known = catalog.has_builtin_group(&group);
                if *request.method() == Method::GET {
                    discovery::resources(catalog, &group, &version).unwrap_or_else(|| nothing_there(writing, known))
                } else {
                    refusal(writing, &Status::method_not_allowed())
                }
            }
            Route::OpenApiIndex => document::index(catalog),
            Route::OpenApi { group, version } => {
                self.documents.version_3(&self.document_request(request.headers(), &query), &group, &version)
            }
            Route::OpenApiV2 => self.documents.version_2(&self.document_request(request.headers(), &query)),
            Route::Unknown => not_found(),
        }
    }

    async fn object<B>(
        &self,
        user: &User,
        request: Request<B>,
        path: &ObjectPath,
        resource: &Arc<Resource>,
        query: &Query,
        writing: Writing,
    ) -> Result<Response<Body>, Status>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if resource.namespaced != path.namespace.is_some() && (path.name.is_some() || path.namespace.is_some()) {
            return Ok(nothing_there(writing, !resource.is_custom()));
        }
        if let Some(name) = &path.name
            && let Some(problem) =
                text::path_segment(name).first().map(String::as_str).or(name.is_empty().then_some(""))
        {
            if name.contains('/') || name.is_empty() {
                return Err(Status::no_such_resource());
            }
            return Err(Status::bad_request(format!("Name parameter invalid: {name:?}: {problem}")));
        }
        let namespace = path.namespace.as_deref().unwrap_or_default();
        let name = path.name.as_deref().unwrap_or_default();
        let verb = verb(request.method(), path, query);
        let call = ApiCall { verb, group: &path.group, resource: &path.plural, namespace, name };
        if let Some(status) = self.faults.api(&call) {
            return Err(status);
        }
        if path.plural == "pods" && path.group.is_empty() {
            let upgradeable = matches!(*request.method(), Method::GET | Method::POST);
            match path.subresource.as_deref() {
                Some("log") => return stream::logs(&self.store, &*self.pods, namespace, name, query),
                Some(sub @ ("exec" | "attach" | "portforward")) if upgradeable => {
                    let target = stream::Target { store: &self.store, pods: &*self.pods, namespace, pod: name, query };
                    if sub == "portforward" {
                        return stream::forward(&target, &self.pods, request);
                    }
                    let pod = self.store.get(&GroupResource::PODS, namespace, name);
                    let cut = pod.and_then(|pod| self.faults.exec_cut(&pod)).filter(|_| sub == "exec");
                    let wish = if sub == "exec" { stream::Wish::Exec } else { stream::Wish::Attach };
                    return stream::command(&target, wish, request, cut);
                }
                Some("explain") => return self.explain(namespace, name, query).await,
                Some("proxy") => return Err(Status::not_simulated("pods/proxy")),
                _ => {}
            }
        }
        let method = request.method().clone();
        let headers = request.headers();
        let subject = match (verb, path.name.is_some()) {
            ("watch", _) => Subject::Watch,
            ("list" | "deletecollection", false) => Subject::List,
            _ => Subject::Single,
        };
        let representation = accept::representation(headers, query, subject, resource)?;
        let manager = manager(query, headers);
        let content_type = header(headers, "content-type");
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
        let body = if method == Method::GET { Bytes::new() } else { read_body(request.into_body()).await? };
        let (store, faults) = (&self.store, &*self.faults);
        let (access, watches) = (&*self.access, &self.watches);
        let call = Call {
            store,
            faults,
            resource,
            path,
            query,
            access,
            watches,
            user,
            representation,
            writing,
            manager,
            content_type,
            body,
        };
        if review::is_review(resource) {
            return if method == Method::POST { review::create(&call) } else { Err(Status::method_not_allowed()) };
        }
        let mut response = call.carry_out(&method)?;
        add_warnings(&mut response, &deprecation(resource));
        Ok(response)
    }
}

/// What every request for a kind is warned of that Kubernetes would rather be rid of.
fn deprecation(resource: &Resource) -> Vec<String> {
    let warning = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "endpoints") => "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        ("", "componentstatuses") => "v1 ComponentStatus is deprecated in v1.19+",
        _ => return Vec::new(),
    };
    vec![warning.to_owned()]
}

/// The request as Kubernetes names it in RBAC and audit.
pub(super) fn verb(method: &Method, path: &ObjectPath, query: &Query) -> &'static str {
    match (method.as_str(), path.name.is_some()) {
        ("GET", named) if path.watch || (!named && query.flag("watch")) => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => "create",
    }
}

impl Call<'_> {
    fn carry_out(&self, method: &Method) -> Result<Response<Body>, Status> {
        let sub = self.path.subresource.as_deref();
        if let Some(sub) = sub
            && !self.resource.has_subresource(sub)
        {
            return if self.resource.is_custom() { Err(self.missing()) } else { Ok(nothing_there(self.writing, true)) };
        }
        if self.path.group == RBAC_GROUP && !self.user.is_master() {
            self.check_grant(method)?;
        }
        // Of a single object only the old path makes a watch.
        let watch = self.path.watch || (self.path.name.is_none() && self.query.flag("watch"));
        match (method.as_str(), self.path.name.is_some(), sub) {
            ("GET" | "PUT" | "PATCH", true, Some("scale")) => self.scale(method),
            ("GET", _, None) if watch => self.watch(),
            ("GET", true, None | Some("status")) => self.get(),
            ("GET", false, None) => self.list(),
            ("POST", false, None) if self.resource.namespaced == self.path.namespace.is_some() => self.create(),
            ("POST", true, Some("eviction")) => self.evict(),
            ("POST", true, Some("token")) if self.resource.plural == "serviceaccounts" => review::issue_token(self),
            ("PUT", true, None | Some("status" | "finalize")) => self.update(),
            ("PATCH", true, None | Some("status")) => self.patch(),
            ("DELETE", true, None) => self.delete(),
            ("DELETE", false, None) => self.delete_collection(),
            (_, true, Some(other)) if !matches!(other, "status" | "scale" | "finalize" | "eviction") => {
                Err(Status::not_simulated(&format!("{}/{other}", self.resource.plural)))
            }
            _ => Err(Status::method_not_allowed()),
        }
    }
}

/// 404 for a path below a group: within groups of Kubernetes' own it is told as a `Status`.
fn nothing_there(writing: Writing, builtin: bool) -> Response<Body> {
    if builtin { refusal(writing, &Status::no_such_resource()) } else { not_found() }
}

fn not_found() -> Response<Body> {
    text_response(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// `fieldManager`, else the client's name up to the first slash, else `unknown`.
fn manager(query: &Query, headers: &HeaderMap) -> String {
    if let Some(manager) = query.get("fieldManager") {
        return manager.to_owned();
    }
    let agent = header(headers, USER_AGENT.as_str());
    let name = agent.split('/').next().unwrap_or_default();
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

async fn read_body<B>(body: B) -> Result<Bytes, Status>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Status::too_large(BODY_LIMIT)),
        Err(error) => Err(Status::bad_request(format!("error reading the body: {error}"))),
    }
}
