import hashlib

from django import forms
from django.contrib import messages
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

from .models import Guest


class GuestForm(forms.ModelForm):
    class Meta:
        model = Guest
        fields = ['name', 'words']


def sign(request):
    form = GuestForm(request.POST or None)
    if request.method == 'POST' and form.is_valid():
        guest = form.save()
        messages.success(request, f'Thank you, {guest.name}.')
        return redirect('sign')
    return render(request, 'guests/sign.html', {'form': form, 'guests': Guest.objects.all()[:20]})


@csrf_exempt
def upload(request):
    """Tells what it was sent, read as it comes."""
    digest = hashlib.sha256()
    size = 0
    while part := request.read(65536):
        digest.update(part)
        size += len(part)
    return JsonResponse({'size': size, 'sha256': digest.hexdigest(), 'scheme': request.scheme, 'host': request.get_host(), 'path': request.path, 'protocol': request.META['SERVER_PROTOCOL']})
